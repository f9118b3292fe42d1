"""How a count is said: 1 text, 2 texts; and how a time is."""

from __future__ import annotations

import re

from bertft.errors import RecipeError

TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the singular where it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cut_texts(count: int, *, of: int, longest: int, where: str = "") -> str:
    """That texts were cut: how many of how many, and what the model reads at most."""
    are, were = ("is", "was") if count == 1 else ("are", "were")
    texts = f"{count:,} of {counted(of, 'text')}{where}"
    return f"{texts} {are} longer than {longest} tokens and {were} cut"


def rows_left_out(count: int, *, first: str) -> str:
    """That rows without a text, or with one that is none, were left out; ``first`` says why."""
    return f"{counted(count, 'row')} cannot be used: left out; the first is {first}"


def duration(seconds: float) -> str:
    """Seconds as a clock shows them: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def seconds_of(budget: str) -> float:
    """Seconds of ``10m``, ``90s``, ``1h30m``. Raises RecipeError for anything else."""
    found = TIME.fullmatch(budget.strip().lower())
    hours, minutes, rest = (float(one or 0) for one in found.groups()) if found else (0, 0, 0)
    seconds = 3600 * hours + 60 * minutes + rest
    if seconds <= 0:
        hint = "a number with h, m or s, as in --budget 10m or --budget 1h30m"
        raise RecipeError(f"--budget {budget}: not a time", hint=hint)
    return seconds


def size(count: float) -> str:
    """Bytes as a person reads them: 812 kB, 91 MB, 1.2 GB."""
    if count < 1e6:
        return f"{count / 1e3:,.0f} kB"
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"
