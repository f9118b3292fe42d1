"""A second look at what a search found: a run that was trained on pairs (question, passage) says
how well each answers, and puts them in that order.

A run of numbers (regression) gives its number; one of labels the probability of the label that
means "this answers it".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertft.errors import BertftError
from bertft.prediction.asked import example_of_texts, names_of
from bertft.prediction.predictor import Predictor
from bertft.retrieval.index import Hit
from bertft.watch import Watch

READ = 50
"""Passages that are read again at least, where so many were found."""
RELEVANT = {
    "1", "relevant", "yes", "true", "positive", "same", "duplicate", "match", "entailment",
    "answers", "good", "관련", "관련있음", "예", "참", "일치", "같음", "긍정", "정답",
}  # fmt: skip
"""Labels that are taken for "this answers it", where a run has one of them."""


@dataclass(frozen=True, slots=True)
class Relevant:
    """A hit, and what a run says of it."""

    hit: Hit
    relevance: float | None = None


class Reranker:
    """A run of pairs; ``label`` is the one that means "this answers it", "" to look for it."""

    def __init__(self, predictor: Predictor, *, label: str = "", watch: Watch) -> None:
        """
        Raises:
            BertftError: the run does not read pairs, or no label is certain.
        """
        self._predictor = predictor
        names = names_of(predictor.task)
        if predictor.task.name == "qa" or len(names) != 2:
            what = f"--rerank needs a run of pairs; this one's task is {predictor.task.name}"
            raise BertftError(what, hint="train one with --set task.pairs=true: question, passage")
        self._label = _label(predictor.task, label) if predictor.task.labels else ""
        means = f"'{self._label}' means that a passage answers" if self._label else "by its number"
        watch.note(f"reranked by {predictor.folder}: {means}")

    def reranked(self, query: str, hits: Sequence[Hit], *, top_k: int) -> list[Relevant]:
        """The ``top_k`` most relevant hits."""
        examples: Any = [
            example_of_texts(self._predictor.task, (query, one.passage.shown), id=str(place))
            for place, one in enumerate(hits)
        ]
        answers = self._predictor.answer(examples)
        found = [
            Relevant(hit, float(one["scores"][self._label] if self._label else one["value"]))
            for hit, one in zip(hits, answers, strict=True)
        ]
        return sorted(found, key=lambda one: -(one.relevance or 0.0))[:top_k]


def _label(task: Any, wanted: str) -> str:
    labels = list(task.labels)
    if wanted in labels:
        return wanted
    if wanted:
        raise BertftError(f"--relevant {wanted}: not a label of the run: {', '.join(labels[:20])}")
    known = [one for one in labels if one.casefold().replace(" ", "") in RELEVANT]
    if len(known) == 1:
        return str(known[0])
    what = f"which label of the run means that a passage answers? {', '.join(labels[:20])}"
    raise BertftError(what, hint=f"--relevant {labels[-1]}")
