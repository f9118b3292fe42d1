"""Which texts are out of scope, for classification: the logits of dev go in, a threshold comes out;
then the logits of a text go in, and what its answer says of them comes out.

A label such as ``oos`` is no label to be predicted: its texts in the training data teach that no
label fits (each has the same share), those of dev choose the threshold.

Shape legend: N texts, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from bertft.contracts import FloatArray
from bertft.evaluation.metrics import BoolArray
from bertft.evaluation.out_of_scope import (
    REFUSED,
    entropy,
    scope_figures,
    threshold_of_best_f1,
    threshold_that_refuses,
)
from bertft.settings import Section

FLAG, SCORE = "out_of_scope", "out_of_scope_score"
"""Fields of an answer."""


class ScopeLearned(Section):
    """What training stores with the model."""

    label: str
    threshold: float | None = None
    seen: int = Field(default=0, ge=0)
    refused: float = Field(default=REFUSED, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """``label`` is what gold calls a text out of scope.

    A text whose score reaches ``threshold`` is refused; there is none before dev has told it.
    ``seen`` is the number of dev's texts out of scope, ``refused`` the share of its texts in scope
    that is refused.
    """

    label: str
    threshold: float | None = None
    seen: int = 0
    refused: float = REFUSED

    @classmethod
    def of(cls, learned: ScopeLearned) -> Scope:
        return cls(learned.label, learned.threshold, learned.seen, learned.refused)

    @property
    def learned(self) -> dict[str, Any]:
        found: dict[str, Any] = {"label": self.label}
        if self.threshold is None:
            return found
        return found | {
            "threshold": self.threshold,
            "seen": self.seen,
            "refused": self.refused,
        }

    def fitted(self, logits: FloatArray, outside: BoolArray, *, refused: float | None) -> Scope:
        """With the threshold that dev's logits [N, C] tell: where some of its texts are ``outside``
        [N] that of the best F1, else, or where ``refused`` is given, the one that refuses that
        share of its texts in scope."""
        inside = ~outside
        if not inside.any():
            return self
        scores = entropy(logits)
        if outside.any() and refused is None:
            threshold = threshold_of_best_f1(scores, outside)
        else:
            share = REFUSED if refused is None else refused
            threshold = threshold_that_refuses(scores[inside], share)
        share = float((scores[inside] >= threshold).mean())
        return replace(self, threshold=threshold, seen=int(outside.sum()), refused=share)

    def fields(self, logits: FloatArray) -> dict[str, list[Any]]:
        """What the answers to texts of these logits [N, C] say, a value for each text: whether it
        is out of scope, and the score by which it is."""
        if self.threshold is None:
            return {}
        scores = entropy(logits)  # [N]
        return {FLAG: (scores >= self.threshold).tolist(), SCORE: scores.tolist()}


def figures(
    answers: Sequence[Mapping[str, Any]], golds: Sequence[Sequence[int]], right: BoolArray
) -> dict[str, dict[str, float]]:
    """What came of it where gold is known; {} of answers that do not say whether they are in scope.

    ``golds`` are label ids by text, none for texts out of scope; ``right`` [N] says which texts
    have the right label.
    """
    if not answers or SCORE not in answers[0]:
        return {}
    scores = np.array([one[SCORE] for one in answers], dtype=np.float64)
    refused = np.array([one[FLAG] for one in answers], dtype=bool)
    return scope_figures(scores, refused, np.array([not one for one in golds]), right)
