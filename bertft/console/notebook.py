"""What a notebook shows of a long job: one line that changes in its place, and the notes.

``watch_here`` is for the Python API: silent anywhere else, where a program prints what it wants to.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from bertft.watch import Silent, StepReport, TrainingPlan, Watch
from bertft.words import duration

OFTEN = 0.5
"""Seconds between two changes of the line."""


def watch_here() -> Watch:
    """A line in the cell of a notebook; silence elsewhere."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return Line() if getattr(shell, "kernel", None) is not None else Silent()


class Line(Silent):
    """One line for all of a job."""

    def __init__(self) -> None:
        from IPython import display

        show: Any = display.display
        self._epochs = 0
        self._dev = ""
        self._begun = self._told = time.perf_counter()
        self._handle: Any = show({"text/plain": ""}, raw=True, display_id=True)

    def note(self, text: str) -> None:
        print(f"· {text}")  # noqa: T201 - the output of a cell

    def plan(self, plan: TrainingPlan) -> None:
        self._epochs = plan.epochs
        self._begun = time.perf_counter()

    def step(self, report: StepReport) -> None:
        if report.scores:
            name, value = next(iter(report.scores.items()))
            self._dev = f"  dev {name} {value:.4f}"
        passed = time.perf_counter() - self._begun
        left = passed / report.step * (report.total_steps - report.step)
        self._show(
            f"epoch {report.epoch + 1}/{self._epochs}  step {report.step:,}/{report.total_steps:,}"
            f"  loss {report.loss:.4f}{self._dev}"
            + ("" if report.is_last else f"  {duration(left)} left"),
            now=report.is_last,
        )

    def advance(
        self,
        done: int,
        fraction: float | None,
        *,
        total: int | None = None,
        what: str = "predicted",
    ) -> None:
        amount = f"{done:,}" if total is None else f"{done:,}/{total:,}"
        self._show(f"{what} {amount}", now=done == total)

    def _show(self, text: str, *, now: bool = False) -> None:
        passed = time.perf_counter()
        if now or passed - self._told >= OFTEN:
            self._told = passed
            self._handle.update({"text/plain": text}, raw=True)
