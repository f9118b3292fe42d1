"""Gives a trial up while it trains: a Watch that asks the study after each epoch.

It goes by the journal, which holds what a stopped trial was told before.
"""

from __future__ import annotations

from pathlib import Path

from bertft.search.study import Study
from bertft.search.trials import dev_scores
from bertft.watch import StepReport, Watch
from bertft.words import counted


class Pruned(Exception):  # noqa: N818 - a trial that is given up is no error
    """A trial is given up; ``str()`` says when and why."""


class Judge:
    """Passes everything on to another Watch; raises Pruned for a trial that is not worth it."""

    def __init__(self, study: Study, number: int, run: Path, *, metric: str, watch: Watch) -> None:
        self._study, self._number, self._run, self._metric = study, number, run, metric
        self._watch = watch
        self.note, self.plan, self.advance = watch.note, watch.plan, watch.advance

    def step(self, report: StepReport) -> None:
        self._watch.step(report)
        if report.scores is not None:
            self.decide()

    def decide(self) -> None:
        """Look at each epoch that has ended, in order. Raises Pruned."""
        for epoch, score in dev_scores(self._run, self._metric).by_epoch(self._metric):
            if self._study.is_hopeless(self._number, epoch=epoch, score=score):
                so_far = f"{self._metric} {score:.4f} is worse than the median"
                raise Pruned(f"after {counted(epoch, 'epoch')}: {so_far} of the trials before")
