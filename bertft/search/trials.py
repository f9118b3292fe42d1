"""Dev scores of a trial by epoch, from the journal of its run: what pruning and the study go by.

From the journal alone, so that a trial that is taken up again is judged as if it had not stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bertft.evaluation.statistic import is_better
from bertft.training.journal import read_journal


@dataclass(frozen=True, slots=True)
class DevScores:
    """``scores`` are (step, score) in order; ``steps`` and ``epochs`` are those planned."""

    examples: int = 0
    steps: int = 0
    epochs: int = 0
    scores: Sequence[tuple[int, float]] = field(default_factory=list)

    def by_epoch(self, metric: str) -> Iterator[tuple[int, float]]:
        """(epochs done, best score so far) wherever an epoch has ended, but for the last one."""
        best, told = None, 0
        for step, score in self.scores:
            best = score if best is None or is_better(metric, score, than=best) else best
            epoch = step * self.epochs // self.steps
            if told < epoch < self.epochs:
                told = epoch
                yield epoch, best

    def final(self, metric: str, *, keep: str) -> float:
        """The score of the weights that the run ends with."""
        values = [score for _, score in self.scores]
        if keep == "last":
            return values[-1]
        best = values[0]
        for value in values:
            best = value if is_better(metric, value, than=best) else best
        return best


def dev_scores(run: Path, metric: str = "") -> DevScores:
    """What the journal of a run tells; empty where there is none yet."""
    path = run / "journal.jsonl"
    if not path.is_file():
        return DevScores()
    examples = steps = epochs = 0
    scores: dict[int, float] = {}
    for event in read_journal(path):
        if event["event"] == "plan":
            examples = event["examples"].get("dev", 0)
            steps, epochs = event["steps"], event["epochs"]
        elif event["event"] == "scores" and metric in event["scores"]:
            scores[event["step"]] = event["scores"][metric]
    return DevScores(examples, steps, epochs, sorted(scores.items()))
