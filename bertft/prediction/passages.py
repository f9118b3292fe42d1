"""One question to many passages: files and a question in, the best answers over all of them out.

Each plain text file is one passage; of a table, each row (column context, passage or text).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bertft.errors import DataError
from bertft.evaluation.probabilities import softmax
from bertft.loaders import length_fault
from bertft.loaders.ids import RowIds
from bertft.loaders.rows import pick_column, read_rows
from bertft.loaders.source import Source
from bertft.loaders.squad import Question
from bertft.prediction.predicted import Predicted
from bertft.prediction.predictor import Answering, windows

PASSAGE_COLUMNS = ("context", "passage", "paragraph", "text", "document")
N_BEST = 20
WINDOW = 64
"""Passages in one go."""


def passages(source: Source, question: str) -> Iterator[Question]:
    """The question with each passage of a source."""
    table = read_rows(source)
    column = pick_column(table.columns, "", PASSAGE_COLUMNS, what="passage", path=source.path)
    ids = RowIds(table, source.meter)
    for row in table:
        name = ids.of(row)
        context = row.fields.get(column)
        context = "" if context is None else context  # an empty passage holds no answer
        if not isinstance(context, str) or (fault := length_fault(context)):
            what = fault if isinstance(context, str) else f"no text in column '{column}'"
            source.bad_row(DataError(what, path=table.path, line=row.line, row=name))
            continue
        yield Question(name, row.line, question, context, None)


def best_answers(
    predictor: Answering, asked: Iterable[tuple[str, Question]], *, top_k: int | None
) -> Iterator[Predicted]:
    """The ``top_k`` best answers (the best one when None) over all (file, question) pairs.

    Spans of different passages are compared by their logits; ``score`` is their softmax over the
    best spans of all passages. One passage and no ``top_k`` gives its answer with the confidence
    that was calibrated in training. Memory holds one window of passages and the best spans.
    """
    kept: list[Predicted] = []
    first: Predicted | None = None
    count = 0
    most = max(N_BEST, top_k or 1)
    for window in windows(asked, most=WINDOW, length=lambda one: len(one[1].text)):
        answers = predictor.answer([question for _, question in window], top_k=most)
        for (file, question), answer in zip(window, answers, strict=True):
            spans = answer.pop("answers")
            answer = {"file": file, **answer} if file else answer
            first = first or Predicted(answer, context=question.context)
            count += 1
            if not answer["no_answer"]:
                kept += [Predicted({**answer, **one}, context=question.context) for one in spans]
        kept = sorted(kept, key=lambda one: -one.answer["logit"])[:most]
    if first is None:
        return
    if not kept or (count == 1 and top_k is None):
        yield first
        return
    shares = softmax([one.answer["logit"] for one in kept])
    for one, share in zip(kept[: top_k or 1], shares, strict=False):
        one.answer.pop("logit")
        yield Predicted(one.answer | {"score": float(share)}, context=one.context)


@dataclass(frozen=True, slots=True)
class Read:
    """The answer of one passage; the ``logit`` of its span, and its ``share`` among the answers of
    all passages: the softmax of their logits."""

    given: Predicted
    logit: float
    share: float


def read_each(predictor: Answering, asked: Sequence[Sequence[Question]]) -> list[list[Read]]:
    """For each of some questions, given with its passages: one answer of each passage that has one,
    by their logits; [] where none has.
    """
    flat = [(number, one) for number, questions in enumerate(asked) for one in questions]
    found: list[list[tuple[float, Predicted]]] = [[] for _ in asked]
    for window in windows(flat, most=WINDOW, length=lambda pair: len(pair[1].text)):
        answers = predictor.answer([one for _, one in window], top_k=1)
        for (number, one), answer in zip(window, answers, strict=True):
            spans = answer.pop("answers")
            if not answer["no_answer"]:
                given = Predicted(answer, context=one.context)
                found[number].append((spans[0]["logit"], given))
    return [_with_shares(one) for one in found]


def _with_shares(found: list[tuple[float, Predicted]]) -> list[Read]:
    found = sorted(found, key=lambda pair: -pair[0])
    shares = softmax([logit for logit, _ in found]) if found else ()
    return [
        Read(one, logit, float(share)) for share, (logit, one) in zip(shares, found, strict=True)
    ]
