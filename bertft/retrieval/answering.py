"""Answers out of one's own files: a question in, what the best passages say of it out.

The index finds passages, the run reads each of them, and its answers are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertft.contracts import Answer, FloatArray
from bertft.errors import BertftError
from bertft.evaluation.logistic import probabilities
from bertft.loaders.squad import Question
from bertft.prediction.passages import Read, read_each
from bertft.prediction.predictor import Answering, Predictor
from bertft.retrieval.index import Hit, Index

PASSAGES = 5
"""Passages that are read for a question."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer, and the passage that a search has found it in."""

    read: Read
    hit: Hit

    @property
    def numbers(self) -> tuple[float, float, float]:
        """What speaks for it: to the run, beside the other passages, and to the search."""
        return self.read.logit, self.read.share, self.hit.score

    @property
    def confidence(self) -> float:
        """The run's, given the passage, times the passage's share: no calibrated probability."""
        return float(self.read.given.answer["score"]) * self.read.share


@dataclass(frozen=True, slots=True)
class Scale:
    """Makes a probability of a candidate's numbers: the weights of a logistic regression.

    ``least`` is the probability from which an answer is given.
    """

    weights: tuple[float, ...]
    least: float

    def probabilities(self, candidates: Sequence[Candidate]) -> FloatArray:
        """[N] how likely each is right."""
        numbers = np.array([one.numbers for one in candidates])  # [N, 3]
        return probabilities(numbers, np.array(self.weights))


def candidates(
    predictor: Answering, index: Index, questions: Sequence[str], *, passages: int
) -> list[tuple[list[Candidate], Hit]]:
    """Of each question an answer of each passage that has one, by the run's logits; and the passage
    that was found first.
    """
    hits = [index.search(question, top_k=passages) for question in questions]
    asked = [
        [Question(str(place), 0, question, hit.passage.text, None) for place, hit in enumerate(own)]
        for question, own in zip(questions, hits, strict=True)
    ]
    return [
        ([Candidate(one, own[int(one.given.answer["id"])]) for one in read], own[0])
        for read, own in zip(read_each(predictor, asked), hits, strict=True)
    ]


class Answerer:
    """A run that answers questions, and the index of the files it reads.

    Answers are compared, and given from ``least`` on, by the probability of ``scale``; without one,
    compared by the run's logits, with its own confidence as their score.
    """

    def __init__(
        self,
        predictor: Predictor,
        index: Index,
        *,
        passages: int = PASSAGES,
        scale: Scale | None = None,
        least: float | None = None,
    ) -> None:
        self._predictor, self._index = predictor, index
        self._passages, self._scale = passages, scale
        self._least = scale.least if least is None and scale is not None else least

    def answers(self, question: str, *, top_k: int = 1) -> list[Answer]:
        """The best answers, each of another passage; where there is none, one that says so, with
        the passage that was nearest.
        """
        ((read, nearest),) = candidates(
            self._predictor, self._index, [question], passages=self._passages
        )
        given = [
            (score, one)
            for score, one in scored(self._scale, read)[:top_k]
            if self._least is None or score >= self._least
        ]
        if given:
            return [_answer(one, score, rank=rank) for rank, (score, one) in enumerate(given, 1)]
        nothing = {"question": question, "answer": "", "score": None, "no_answer": True}
        return [{"rank": 1, **nothing, **nearest.place, "passage": nearest.passage.text}]


def scored(scale: Scale | None, read: Sequence[Candidate]) -> list[tuple[float, Candidate]]:
    """(score, candidate), best first; without a scale the run's confidence, in the order given."""
    if scale is None or not read:
        return [(one.confidence, one) for one in read]
    scores = scale.probabilities(read).tolist()
    return sorted(zip(scores, read, strict=True), key=lambda pair: -pair[0])


def _answer(one: Candidate, score: float, *, rank: int) -> Answer:
    answer = one.read.given.answer
    said = {"question": answer["question"], "answer": answer["answer"], "score": score}
    span = {name: answer[name] for name in ("start", "end")}
    place = one.hit.place
    passage = one.read.given.context
    return {"rank": rank, **said, "no_answer": False, **place, **span, "passage": passage}


def check_reader(predictor: Predictor) -> None:
    """Raise BertftError where the run answers no questions."""
    if predictor.task.name != "qa":
        what = f"ask needs a run that answers questions; this one's task is {predictor.task.name}"
        raise BertftError(what, hint="train one: bertft train qa, or squad2")
