"""Extractive question answering: a question and a passage go in, a span of the passage comes out.

Long passages are read in overlapping windows. Answers are spans of the untouched passage:
``context[start:end] == answer``, always. Read order: options, task. Shape legend: L tokens.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from bertft.checks.finding import Finding, Reading, Split
from bertft.checks.questions import (
    NO_ANSWER,
    held_answers,
    learned_text,
    question_findings,
)
from bertft.contracts import Answer, Encoded, FloatArray, Head, Learned, OffsetArray, Pieces
from bertft.encoder.pieces import (
    Frame,
    TextPieces,
    chunks,
    cut_into_pieces,
    passage_of,
    placed,
    windows_over,
)
from bertft.errors import DataError
from bertft.evaluation.calibration import Evidence, Scaling, calibrated, events_of
from bertft.evaluation.probabilities import log_softmax, softmax
from bertft.evaluation.statistic import Scores
from bertft.loaders.ids import id_of
from bertft.loaders.soft_answers import COLUMN, SoftAnswers, mean_answers, of_characters
from bertft.loaders.source import Source
from bertft.loaders.squad import AnswerText, Question, question_of, read_questions
from bertft.recipe import parse_options, validate
from bertft.settings import Section
from bertft.spans import Composed, Span, compose
from bertft.tasks.extraction import N_BEST, Extraction, extract
from bertft.tasks.tagging import merge_windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 512


class QaOptions(Section):
    """The ``[task]`` table of a question answering recipe."""

    scoring: Literal["squad", "korquad", "klue"] = "squad"
    """Whose official EM and F1: SQuAD (words), KorQuAD (characters), KLUE-MRC (ROUGE-W)."""
    window_overlap: int = Field(default=128, ge=0)
    """Pieces of the passage that neighbouring windows share."""
    max_answer_length: int = Field(default=30, ge=1)
    """Longest answer in pieces."""
    max_question_length: int = Field(default=64, ge=1)
    """Longer questions are cut to this many pieces (fewer where windows need the room)."""


class QaLearned(Section):
    """What training stores with the model."""

    null_threshold: float | None = None
    confidence: Sequence[float] = Field(default=(1.0, 0.0), min_length=2, max_length=2)


def from_options(settings: Mapping[str, Any]) -> Qa:
    """The task of a recipe's ``[task]`` table. Raises RecipeError for wrong options."""
    return Qa(parse_options(QaOptions, settings))


@dataclass(frozen=True, slots=True)
class Qa:
    """The task.

    ``null_threshold``: "no answer" is given where the null score exceeds the best span's by more;
    None for models trained on answerable questions only, which always answer. ``confidence``: Platt
    scaling (a, b) of the answer's probability, fitted on dev.
    """

    options: QaOptions
    null_threshold: float | None = None
    confidence: tuple[float, float] = (1.0, 0.0)
    name: str = "qa"
    labels: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        return "rouge_w" if self.options.scoring == "klue" else "f1"

    @property
    def learned(self) -> Learned:
        return {"null_threshold": self.null_threshold, "confidence": list(self.confidence)}

    @property
    def scaling(self) -> Scaling:
        return () if self.confidence == (1.0, 0.0) else (self.confidence,)

    # --- reading ------------------------------------------------------------------------------

    def read(self, source: Source) -> Iterator[Question]:
        return read_questions(source)

    def example(self, record: str | Mapping[str, Any], *, id: str) -> Question:
        if isinstance(record, str):
            raise DataError("a question alone", hint='give {"question": ..., "context": ...}')
        if not all(name in record for name in ("question", "context")):
            raise DataError("question or context is missing", hint='both are needed: {"question": '
                            '..., "context": ...}')  # fmt: skip
        return question_of(record, id=id_of(record) or id)

    # --- what training finds ------------------------------------------------------------------

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Qa:
        found = validate(QaLearned, learned, where="learned")
        a, b = found.confidence
        return replace(self, null_threshold=found.null_threshold, confidence=(a, b))

    def learn_labels(self, examples: Sequence[Question], *, path: str) -> Qa:
        """Whether "no answer" is an answer. Raises DataError when nothing has an answer."""
        unanswerable = sum(not example.answers for example in examples)
        if unanswerable == len(examples):
            raise DataError("no question has an answer", path=path, hint="add answers")
        return replace(self, null_threshold=0.0 if unanswerable else None)

    def check(self, examples: Sequence[Question], *, path: str) -> list[str]:
        """Every answer is possible: it was found in its passage when it was read."""
        return []

    def fit(self, examples: Sequence[Question], pieces: Sequence[Pieces]) -> Qa:
        """Null threshold (best F1 on dev) and confidence (was the answer exact?)."""
        from bertft.evaluation import answers

        found = [self._extract(one) for one in pieces]
        texts = [self._text(*pair) for pair in zip(examples, found, strict=True)]
        golds = [[answer.text for answer in one.answers or ()] for one in examples]
        task = self
        if self.null_threshold is not None:
            f1 = [
                answers.f1(text, gold, scoring=self.options.scoring) if gold else 0.0
                for text, gold in zip(texts, golds, strict=True)
            ]
            margins = np.array([one.margin for one in found])
            threshold, _ = answers.best_null_threshold(
                margins, np.array(f1), np.array([not gold for gold in golds])
            )
            task = replace(self, null_threshold=float(threshold))
        sure = [task._raw_confidence(one) for one in found]
        given = ["" if task._is_null(one) else text for one, text in zip(found, texts, strict=True)]
        right = [
            answers.exact_match(text, gold, scoring=self.options.scoring)
            for text, gold in zip(given, golds, strict=True)
        ]
        (confidence,) = events_of(sure, right, kind="answers").fit() or ((1.0, 0.0),)
        return replace(task, confidence=confidence)

    def _extract(self, pieces: Pieces, *, count: int = N_BEST) -> Extraction:
        return extract(pieces, max_answer_length=self.options.max_answer_length, count=count)

    @staticmethod
    def _text(example: Question, found: Extraction) -> str:
        if not found.spans:
            return ""
        start, end = compose(example.context).original(*found.spans[0])
        return example.context[start:end]

    def _is_null(self, found: Extraction) -> bool:
        if not found.spans:
            return True
        return self.null_threshold is not None and found.margin > self.null_threshold

    def _raw_confidence(self, found: Extraction) -> float:
        """Probability of the answer given, spans and (where it counts) null together."""
        if not found.spans:
            return 1.0
        with_null = self.null_threshold is not None
        p = found.probabilities(with_null=with_null)
        return float(p[-1] if self._is_null(found) else p[0])

    # --- model --------------------------------------------------------------------------------

    def head(self, examples: Sequence[Question]) -> Head:
        from bertft.heads.span import SpanHead

        return SpanHead()

    def encode(
        self,
        examples: Sequence[Question],
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
    ) -> list[Encoded]:
        frame = Frame.of(tokenizer)
        room = max_length - frame.pair_specials
        windows_over(0, room=room - 1, overlap=self.options.window_overlap)  # refuses what is amiss
        encoded: list[Encoded] = []
        contexts = ["", *(one.context for one in examples)]
        lengths = [len(new) if new != old else 0 for old, new in pairwise(contexts)]
        for some in chunks(lengths, most=CHUNK):
            chunk = examples[some.start : some.stop]
            # Several questions are asked of one passage: it is composed and tokenised once.
            composed = {one.context: compose(one.context) for one in chunk}
            passages = dict(
                zip(
                    composed,
                    cut_into_pieces([one.text for one in composed.values()], tokenizer),
                    strict=True,
                )
            )
            questions = cut_into_pieces([compose(one.question).text for one in chunk], tokenizer)
            for index, (example, question) in enumerate(zip(chunk, questions, strict=True)):
                encoded += self._windows(
                    example,
                    question.ids,
                    composed[example.context],
                    passages[example.context],
                    frame,
                    number=some.start + index,
                    max_length=max_length,
                )
        return encoded

    def _windows(
        self,
        example: Question,
        question: array[int],
        composed: Composed,
        passage: TextPieces,
        frame: Frame,
        *,
        number: int,
        max_length: int,
    ) -> Iterator[Encoded]:
        """Windows of one question; offsets are in the composed passage, and empty elsewhere."""
        # A question leaves room for windows that advance, whatever max_length is.
        room = max_length - frame.pair_specials
        longest = min(self.options.max_question_length, room - self.options.window_overlap - 1)
        kept = question[:longest]
        room -= len(kept)
        answer = self._answer_pieces(example, composed, passage)
        soft = None
        if example.soft is not None:
            soft = example.soft.composed(composed).rows(passage.offsets)  # [P, 2]
        for window in windows_over(len(passage), room=room, overlap=self.options.window_overlap):
            ids, kinds, first = frame.pair(kept, passage, window)
            offsets = placed(
                passage.offsets[window.start : window.stop], first=first, length=len(ids)
            )
            target = None if example.answers is None else NO_ANSWER
            if answer and answer[0] in window and answer[1] in window:
                shift = first - window.start
                target = (answer[0] + shift, answer[1] + shift)
            dropped = len(question) - len(kept)
            own = None if soft is None else _in_window(soft[window.start : window.stop])
            yield Encoded(ids, kinds, number, target, offsets, dropped, soft=own)

    @staticmethod
    def _answer_pieces(
        example: Question, composed: Composed, passage: TextPieces
    ) -> tuple[int, int] | None:
        """First and last piece of the first gold answer; None where there is none."""
        if not example.answers or not len(passage):
            return None
        gold = example.answers[0]
        start, end = composed.composed(gold.start, gold.start + len(gold.text))
        offsets: OffsetArray = passage.offsets
        inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
        return (int(inside[0]), int(inside[-1])) if len(inside) else None

    def remarks(self, examples: Sequence[Question], encoded: Sequence[Encoded]) -> list[str]:
        """Answers that no window holds whole, and those that pieces do not give back."""
        answered = sum(bool(example.answers) for example in examples)
        held = held_answers(examples, encoded)
        inexact = sum(
            learned_text(examples[number], one) is not None for number, one in held.items()
        )
        remarks = []
        if lost := answered - len(held):
            remarks.append(
                f"{lost} of {answered} answers are in no window whole: a larger model.max_length "
                "or task.window_overlap holds more"
            )
        if inexact:
            remarks.append(
                f"{inexact} of {answered} answers begin or end inside a token: the model "
                "learns the tokens around them"
            )
        return remarks

    # --- checks -------------------------------------------------------------------------------

    def readings(self, examples: Sequence[Question]) -> list[Reading]:
        """Answers in other words do not contradict each other; an answer and none do."""
        golds = ["answerable" if one.answers else "unanswerable" for one in examples]
        pairs = zip(examples, golds, strict=True)
        return [Reading((one.question, one.context), (gold,), gold) for one, gold in pairs]

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        """Answers that the model cannot learn, or could never give."""
        if tokenizer is None:
            return []
        encode = partial(self.encode, tokenizer=tokenizer, max_length=max_length)
        return question_findings(split, encode, longest=self.options.max_answer_length)

    # --- answers ------------------------------------------------------------------------------

    def decode(self, example: Question, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """The best span, or no answer; with ``top_k`` also the best spans as ``answers``."""
        found = self._extract(pieces, count=max(N_BEST, top_k or 1))
        null = self._is_null(found)
        composed = compose(example.context)
        spans = [composed.original(*span) for span in found.spans[: top_k or 1]]
        start, end = (0, 0) if null else spans[0]
        answer: Answer = {"id": example.id, "question": example.question}
        answer |= {"answer": example.context[start:end], "start": start, "end": end}
        answer["score"] = float(calibrated(self._raw_confidence(found), *self.confidence))
        answer["no_answer"] = null
        if top_k is not None:
            p = found.probabilities(with_null=self.null_threshold is not None)
            # What speaks for a span, comparable between passages: the null score is its passage's.
            zero = 0.0 if self.null_threshold is None else found.null
            answer["answers"] = [
                {
                    "answer": example.context[first:last],
                    "start": first,
                    "end": last,
                    "score": float(p[rank]),
                    "logit": float(found.scores[rank]) - zero,
                }
                for rank, (first, last) in enumerate(spans)
            ]
        answer["truncated"] = any(one.dropped > 0 for one, _ in pieces)
        return answer

    def gold(self, example: Question, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """Gold texts, and the loss of training: mean of -log p(start), -log p(end) by window."""
        losses = [_window_loss(one, logits) for one, logits in pieces]
        texts = list(dict.fromkeys(one.text for one in example.answers or ()))
        return {"gold": texts, "loss": float(np.mean(losses))}

    def soft(self, example: Question, pieces: Pieces) -> tuple[SoftAnswers, Span | None]:
        """The probabilities of start and end over the whole context; the answer, None for none.

        Windows are taken together as ``decode`` takes them: logits compare between them, each piece
        is read where it has most context, and "no answer" where it is least likely.
        """
        given = self.decode(example, pieces)
        span = None if given["no_answer"] else (given["start"], given["end"])
        null = min((logits[0] for _, logits in pieces), key=lambda one: float(one.sum()))  # [2]
        units, rows = merge_windows(pieces)  # [U, 2], [U, 2]
        p = softmax(np.concatenate([null[None], rows]).T).T[1:]  # [U, 2]
        composed = compose(example.context)
        spans = [composed.original(int(start), int(end)) for start, end in units]
        return of_characters(np.array(spans, dtype=np.int32).reshape(-1, 2), p), span

    def soft_row(
        self, example: Question, told: Sequence[tuple[SoftAnswers, Span | None]]
    ) -> dict[str, Any]:
        """Of several answers, gold is the one that all together find the most probable."""
        soft = mean_answers([one for one, _ in told])
        span = max((span for _, span in told), key=soft.probability)
        texts = [] if span is None else [example.context[span[0] : span[1]]]
        answers = {"text": texts, "answer_start": [] if span is None else [span[0]]}
        row = {"question": example.question, "context": example.context, "answers": answers}
        return row | {COLUMN: soft.content()}

    def evidence(self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]) -> Evidence:
        from bertft.evaluation.answers import exact_match

        given = ["" if one["no_answer"] else one["answer"] for one in answers]
        right = [
            exact_match(text, one["gold"], scoring=self.options.scoring)
            for text, one in zip(given, golds, strict=True)
        ]
        sure = [one["score"] for one in answers]
        return events_of(sure, right, scaling=self.scaling, kind="answers")

    def regain(self, record: Mapping[str, Any]) -> Question:
        gold = tuple(AnswerText(text, 0) for text in record["gold"])
        return Question(record["id"], 0, record["question"], "", gold)

    def score(self, examples: Sequence[Question], answers: Sequence[Answer]) -> Scores:
        from bertft.evaluation.scores import question_scores

        golds = [[one.text for one in example.answers or ()] for example in examples]
        given = ["" if answer["no_answer"] else answer["answer"] for answer in answers]
        return question_scores(golds, given, scoring=self.options.scoring)


def _in_window(shares: FloatArray) -> FloatArray:
    """[1 + P, 2] the shares [P, 2] of a window's pieces; all the rest is no answer there."""
    none = np.maximum(1 - shares.sum(axis=0, keepdims=True), 0)  # [1, 2]
    return np.concatenate([none, shares])


def _window_loss(one: Encoded, logits: np.ndarray[Any, Any]) -> float:
    """-log p of start and end, halved: softmax over the passage and [CLS]."""
    assert isinstance(one.target, tuple)
    first, last = passage_of(one)
    allowed = [0, *range(first, last + 1)]
    chances = log_softmax(logits[allowed].T)  # [2, passage + 1]
    places = [place and place - first + 1 for place in one.target]
    return -float(chances[[0, 1], places].mean())
