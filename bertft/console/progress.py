"""One bar for a job: what is done, how much of how much, how fast, and how long it still takes.

Nothing is shown that is not known: no time left without an end, no rate before a second has passed.
"""

from __future__ import annotations

import time

from rich.console import Console as RichConsole
from rich.progress import BarColumn, Progress, TextColumn

from bertft.words import duration

SETTLED = 1.0
"""Seconds after which a rate means something."""


class Pace:
    """How fast a count grows from where it was first seen."""

    def __init__(self, count: float) -> None:
        self._first, self._started = count, time.perf_counter()

    def rate(self, count: float) -> float:
        """Per second; 0 while that is not known."""
        passed = time.perf_counter() - self._started
        return (count - self._first) / passed if passed >= SETTLED else 0.0


class Bar:
    """A bar on the terminal, gone without a trace when it is closed."""

    def __init__(self, what: str, console: RichConsole, *, first: float) -> None:
        self.what = what
        self.pace = Pace(first)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[text]}"),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task(what, total=None, text="")
        self._progress.start()

    def show(self, text: str, *, share: float | None) -> None:
        """The text beside the bar, which is filled to ``share``, or moves where that is unknown."""
        if share is None:
            self._progress.update(self._task, text=text)
        else:
            self._progress.update(self._task, text=text, total=1.0, completed=share)

    def close(self) -> None:
        self._progress.stop()


def pace_text(pace: Pace, done: float, *, of: float | None, shown_rate: float = 0.0) -> str:
    """Rate and time left; ``shown_rate`` is another rate than that of ``done``, in its place."""
    rate = pace.rate(done)
    if not rate:
        return ""
    text = f"  {shown_rate or rate:,.0f}/s"
    return text if of is None else f"{text}  {duration((of - done) / rate)} left"
