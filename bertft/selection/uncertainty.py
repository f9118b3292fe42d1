"""How unsure a model is of a text: logits go in, a number from 0 (sure) to 1 comes out.

One label: one minus the margin between the two most probable labels (Scheffer et al. 2001). Several
labels: how near the nearest one is to the threshold from which it is given. Entities: one minus the
geometric mean of the probabilities of the most probable tags, so that long texts are not preferred
for their length (maximum normalized log-probability, Shen et al. 2018).

Shape legend: U units of a text, C labels or tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from bertft.contracts import Answer, Pieces, Task
from bertft.errors import BertftError
from bertft.evaluation.probabilities import softmax
from bertft.prediction.certainty import Rule
from bertft.prediction.predictor import Predictor, in_windows
from bertft.tasks import answers_of
from bertft.tasks.tagging import merge_windows

UNCERTAINTY = "uncertainty"
"""The field of an answer that says it."""


class Unsure:
    """A Predictor whose answers say how unsure they are."""

    def __init__(self, predictor: Predictor) -> None:
        """Raises BertftError for a task whose answers have no probabilities of labels."""
        self._predictor = predictor
        self.task: Task[Any] = predictor.task
        if not self.task.labels:
            what = f"how unsure it is, a model of the task {self.task.name} does not tell"
            raise BertftError(
                what, hint="leave out --run: the texts are then chosen to differ from each other"
            )

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        return in_windows(examples, self.answer)

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        pieces = self._predictor.pieces(examples)
        answers = answers_of(self.task, examples, pieces)
        return [
            answer | {UNCERTAINTY: uncertainty(self.task, answer, own)}
            for answer, own in zip(answers, pieces, strict=True)
        ]


def uncertainty(task: Task[Any], answer: Answer, pieces: Pieces) -> float:
    """How unsure a model is of its answer to a text, by the windows of that text."""
    if "entities" in answer:
        _, logits = merge_windows(pieces)  # [U, C]
        return 1 - float(np.exp(np.log(softmax(logits).max(axis=1)).mean())) if len(logits) else 0.0
    if "labels" in answer:
        thresholds: Any = task.thresholds  # type: ignore[attr-defined]
        p = np.array([answer["scores"][name] for name in task.labels])  # [C]
        away = np.where(p < thresholds, thresholds - p, p - thresholds)
        return float((1 - away / np.where(p < thresholds, thresholds, 1 - thresholds)).max())
    best, second = sorted([0.0, *answer["scores"].values()])[:-3:-1]
    return float(1 - (best - second))
