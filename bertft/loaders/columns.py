"""Which column holds what: the names and the first rows of a table in, columns and a sentence out.

By their usual names first; then by a name that ends in one ("customer comment"); then, where there
is one way to see it, by what stands in them. Everything but a usual name alone is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row
from bertft.loaders.column_names import (
    CONTEXT,
    LABEL,
    PAIR,
    QUESTION,
    TEXT,
    ending_in,
    folded,
    is_id,
    named,
)

FEWEST = 4
"""Rows that show what a column holds."""


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a column: how many cells, how many different ones, their mean length."""

    name: str
    cells: int
    distinct: int
    length: float

    @property
    def is_label(self) -> bool:
        """Few values, which come again and again."""
        return self.cells >= FEWEST and 2 * self.distinct <= self.cells and self.length <= 40

    @property
    def is_text(self) -> bool:
        """Values that hardly come again, longer than a word."""
        return self.distinct > self.cells / 2 and self.length >= 6


@dataclass(frozen=True, slots=True)
class Picked:
    """Columns of the text and of the label ("" without gold); ``note`` says what was guessed."""

    text: str
    label: str
    note: str = ""


def pick_text_and_label(
    found: Sequence[str],
    first: Sequence[Row],
    *,
    text: str,
    label: str,
    gold: bool,
    path: str,
    taken: Sequence[str] = (),
) -> Picked:
    """The columns of the text and of the label; names given (``text``, ``label``) are taken as they
    are.

    Raises:
        DataError: there is none, or no telling which; one message for both.
    """
    free = [name for name in found if name not in taken and name not in (text, label)]
    guessed: list[str] = []
    texts = [] if text else named(free, TEXT)
    labels = named(free, LABEL) if gold and not label else []
    text, label = text or next(iter(texts), ""), label or next(iter(labels), "")
    free = [name for name in free if name not in (text, label)]
    if not text and len(ends := ending_in(free, TEXT)) == 1:
        guessed.append(text := ends[0])
    if gold and not label and len(ends := ending_in([n for n in free if n != text], LABEL)) == 1:
        guessed.append(label := ends[0])
    contents = [content_of(name, first) for name in free if name not in (text, label)]
    contents = [one for one in contents if not is_id(one.name) and one.cells]
    others = _other(contents, texts, TEXT[0]), _other(contents, labels, LABEL[0])
    if not text or (gold and not label):
        by_text, by_label = _by_content(contents, text=text, label=label, gold=gold)
        if (not text and not by_text) or (gold and not label and not by_label):
            raise _missing(found, text or by_text, label or by_label, gold=gold, path=path)
        guessed += [name for name in (by_text, by_label) if name]
        text, label = text or by_text, label or by_label
    said = _said(text, label, others, gold=gold) if guessed or any(others) else ""
    return Picked(text, label, said)


def other_task(found: Sequence[str], *, text: str) -> str:
    """Why a model of single texts has no sensible answer to rows of two; "" where they are not."""
    second = next((name for name in named(found, (*PAIR, *CONTEXT)) if name != text), "")
    if second and named([second], CONTEXT) and not named(found, QUESTION):
        return ""
    if not second:
        return ""
    what = f"the rows have two texts ('{text}', '{second}'), and only '{text}' is read"
    return f"{what}: this task is about single texts (pairs and questions have tasks of their own)"


def content_of(name: str, rows: Sequence[Row]) -> Content:
    """What stands in a column of some rows."""
    cells = [shown for row in rows if (shown := _shown(row.fields.get(name)))]
    length = sum(map(len, cells)) / max(1, len(cells))
    return Content(name, len(cells), len(set(cells)), length)


def _shown(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _by_content(
    contents: Sequence[Content], *, text: str, label: str, gold: bool
) -> tuple[str, str]:
    """What is missing of text and label, where what stands in the columns leaves one way."""
    if not gold:  # labels may stand beside the text that is to be answered
        contents = [one for one in contents if not one.is_label and not named([one.name], LABEL)]
        return (contents[0].name if len(contents) == 1 else ""), ""
    if text or label:
        fits = [one for one in contents if (one.is_label if text else one.is_text)]
        alone = fits[0].name if len(fits) == 1 == len(contents) else ""
        return ("", alone) if text else (alone, "")
    if len(contents) != 2:
        return "", ""
    short, long = sorted(contents, key=lambda one: one.length)
    if short.is_label and not long.is_label and long.is_text:
        return long.name, short.name
    return "", ""


def _other(contents: Sequence[Content], names: Sequence[str], clear: str) -> str:
    """A column that by its name and by what stands in it could be meant as well as the first of
    ``names``; a name that is ``clear`` leaves no doubt."""
    if not names or folded(names[0]) == clear:
        return ""
    usual = (one for one in contents if one.name in names[1:])
    fits = (one.name for one in usual if (one.is_text if clear == TEXT[0] else one.is_label))
    return next(fits, "")


def _said(text: str, label: str, others: tuple[str, str], *, gold: bool) -> str:
    names = f"column '{text}' is read as the text" + (f", '{label}' as the label" * gold)
    if any(others):
        names += ", not " + " and ".join(f"'{one}'" for one in others if one)
    settings = f'task.text_column="{text}"' + (f' --set task.label_column="{label}"' * gold)
    return f"{names} (--set {settings} and the like change that)"


def _missing(found: Sequence[str], text: str, label: str, *, gold: bool, path: str) -> DataError:
    """One message for all that is missing."""
    lacks = [] if text else [f"the text ({', '.join(TEXT[:4])}, ...)"]
    asked = [] if text else ["task.text_column=NAME"]
    if gold and not label:
        lacks.append(f"the label ({', '.join(LABEL[:4])}, ...)")
        asked.append("task.label_column=NAME")
    listed = ", ".join(found[:12]) + ", ..." * (len(found) > 12) or "none"
    hint = f"name {'it' if len(asked) == 1 else 'them'} with --set {' --set '.join(asked)}; "
    what = f"no column for {' and none for '.join(lacks)}"
    return DataError(what, path=path, line=1, hint=f"{hint}columns here: {listed}")
