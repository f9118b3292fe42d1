"""A sweep for a person: its trials, the winner, and where everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bertft.console.scores import show_scores
from bertft.reports.sweep_page import trials_table

if TYPE_CHECKING:
    from bertft.commands.sweep import SweepResult
    from bertft.console.console import Console


def show_sweep(console: Console, result: SweepResult) -> None:
    """All trials, the best first; the winner's scores on test; what to do next."""
    told = trials_table(result.metric, result.trials)
    console.say("")
    console.show_table(told.header, told.rows)
    if result.test is not None:
        console.say("")
        show_scores(console, result.test)
    console.say("")
    console.say(f"winner  trial {result.winner.number + 1}: {result.run}")
    console.say(f"recipe  {result.folder}/winner.toml")
    console.say(f"report  {result.folder}/report.html")
    console.say(f"next    bertft predict YOUR.txt --run {result.run}")
