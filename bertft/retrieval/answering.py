"""Answers out of one's own files: a question in, what the best passages say of it out.

The index finds passages, the run reads each of them, and its answers are compared.
"""

from __future__ import annotations

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.loaders.squad import Question
from bertft.prediction.passages import read_each
from bertft.prediction.predicted import Predicted
from bertft.prediction.predictor import Predictor
from bertft.retrieval.index import Hit, Index

PASSAGES = 5
"""Passages that are read for a question."""


class Answerer:
    """A run that answers questions, and the index of the files it reads.

    An answer whose score is below ``least`` is not given.
    """

    def __init__(
        self,
        predictor: Predictor,
        index: Index,
        *,
        passages: int = PASSAGES,
        least: float | None = None,
    ) -> None:
        self._predictor, self._index = predictor, index
        self._passages, self._least = passages, least

    def answers(self, question: str, *, top_k: int = 1) -> list[Answer]:
        """The best answers, each of another passage; where there is none, one that says so, with
        the passage that was nearest.
        """
        hits = self._index.search(question, top_k=self._passages)
        questions = [
            Question(str(place), 0, question, hit.passage.text, None)
            for place, hit in enumerate(hits)
        ]
        found: list[Answer] = []
        for one in read_each(self._predictor, questions)[:top_k]:
            if self._least is None or one.answer["score"] >= self._least:
                found.append(_answer(one, hits[int(one.answer["id"])], rank=len(found) + 1))
        if found:
            return found
        nothing = {"question": question, "answer": "", "score": None, "no_answer": True}
        return [{"rank": 1, **nothing, **hits[0].place, "passage": hits[0].passage.text}]


def _answer(one: Predicted, hit: Hit, *, rank: int) -> Answer:
    said = {name: one.answer[name] for name in ("question", "answer", "score", "no_answer")}
    span = {name: one.answer[name] for name in ("start", "end")}
    return {"rank": rank, **said, **hit.place, **span, "passage": one.context}


def check_reader(predictor: Predictor) -> None:
    """Raise BertftError where the run answers no questions."""
    if predictor.task.name != "qa":
        what = f"ask needs a run that answers questions; this one's task is {predictor.task.name}"
        raise BertftError(what, hint="train one: bertft train qa, or squad2")
