"""Retrieval: questions and the passages that answer them go in; an encoder comes out that gives a
question and its passage vectors near each other.

Training draws each question to its passage and away from the others of its batch, and from hard
negatives (heads/ranking.py). What is saved is a folder that sentence-transformers loads. Scored is
where a question's passage stands among all passages of the file; without gold a pair is compared.

Read order: options, task. Shape legend: H hidden width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from bertft.checks.finding import Finding, Reading, Split
from bertft.contracts import Answer, Encoded, FloatArray, Head, Learned, Pieces
from bertft.encoder.sentence import Pooling, SentenceRule, prompts_of, sentence_rule
from bertft.errors import DataError
from bertft.evaluation.ranking import ranked, ranking_scores
from bertft.evaluation.statistic import Scores
from bertft.loaders.pairs import Pair, PairColumns, composed, pair_of, read_pairs
from bertft.loaders.source import Source
from bertft.recipe import parse_options, validate
from bertft.settings import ModelSettings, Section
from bertft.tasks.long_text import LongText, encode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from bertft.evaluation.calibration import Scaling

AUTO = "auto"


class RetrievalOptions(Section):
    """``[task]`` of a recipe with ``name = "retrieval"``."""

    text_column: str = ""
    """The column of the questions; "" looks for the usual names (question, query, anchor)."""
    pair_column: str = ""
    """The column of the passages; "" looks for the usual names (positive, passage, context)."""
    negative_column: str = ""
    """The column of hard negatives, a text or a list of them; "" takes all that are called so
    (negative, negatives, negative_1)."""
    mined: Literal["none", "words", "vectors"] = "none"
    """Find hard negatives for each question among the passages of the training data: those with its
    words (BM25), or those near it for the encoder before it is trained."""
    mined_count: int = Field(default=1, ge=1)
    """Hard negatives that are found for each question."""
    scale: float = Field(default=20.0, gt=0)
    """What cosines are multiplied by in the loss: the inverse of its temperature."""
    query_prompt: str = AUTO
    """What is put before a question; ``auto``: what the encoder's folder says (E5: "query: ")."""
    passage_prompt: str = AUTO
    """What is put before a passage; ``auto``: what the encoder's folder says (E5: "passage: ")."""

    @property
    def pairs(self) -> bool:
        """Two texts are read."""
        return True


class RetrievalLearned(Section):
    """What is stored with the model: how its encoder is read."""

    pooling: Pooling = "mean"
    query_prompt: str = ""
    passage_prompt: str = ""


def from_options(settings: Mapping[str, Any]) -> Retrieval:
    """The task of a recipe's ``[task]`` table. Raises RecipeError for wrong options."""
    return Retrieval(parse_options(RetrievalOptions, settings))


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The task; ``how`` its encoder is read: pooling and prompts."""

    options: RetrievalOptions
    how: RetrievalLearned = field(default_factory=RetrievalLearned)
    name: str = "retrieval"
    metric: str = "ndcg@10"
    labels: tuple[str, ...] = ()
    keys: tuple[str, str] = ("question", "passage")

    @property
    def scaling(self) -> Scaling:
        return ()

    @property
    def learned(self) -> Learned:
        return self.how.model_dump()

    # --- reading ------------------------------------------------------------------------------

    @property
    def _columns(self) -> PairColumns:
        o = self.options
        return PairColumns(o.text_column, o.pair_column, o.negative_column)

    def read(self, source: Source) -> Iterator[Pair]:
        return read_pairs(source, self._columns)

    def example(self, record: str | Mapping[str, Any], *, id: str) -> Pair:
        if isinstance(record, str):
            hint = 'give {"question": ..., "passage": ...}; bertft search finds passages'
            raise DataError("this model compares a question with a passage", hint=hint)
        return pair_of(record, self._columns, id=id)

    # --- the encoder --------------------------------------------------------------------------

    def for_encoder(self, model: ModelSettings, folder: Path) -> Retrieval:
        """The same task, which reads the encoder as the recipe and the encoder's folder say."""
        rule = sentence_rule(folder)
        pooling: Pooling = rule.pooling
        if model.pooling != AUTO:
            pooling = "mean" if model.pooling == "mean" else "cls_before_pooler"
        asked = (self.options.query_prompt, self.options.passage_prompt)
        usual = prompts_of(model.name, rule)
        query, passage = (
            told if one == AUTO else one for one, told in zip(asked, usual, strict=True)
        )
        how = RetrievalLearned(pooling=pooling, query_prompt=query, passage_prompt=passage)
        return replace(self, how=how)

    def rule(self, *, max_length: int) -> SentenceRule:
        """How texts are embedded, for the folder of the model."""
        how = self.how
        return SentenceRule(
            how.pooling,
            normalize=True,
            max_length=max_length,
            query=how.query_prompt,
            passage=how.passage_prompt,
        )

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Retrieval:
        return replace(self, how=validate(RetrievalLearned, learned, where="learned"))

    def learn_labels(self, examples: Sequence[Pair], *, path: str) -> Retrieval:
        """Itself. Raises DataError where all questions have the same passage: nothing to learn."""
        if len({composed(text) for one in examples for text in one.passages}) < 2:
            raise DataError("all rows have the same passage", path=path, hint="add other ones")
        return self

    def check(self, examples: Sequence[Pair], *, path: str) -> list[str]:
        """Every pair is possible."""
        return []

    def fit(self, examples: Sequence[Pair], pieces: Sequence[Pieces]) -> Retrieval:
        return self

    def head(self, examples: Sequence[Pair]) -> Head:
        from bertft.heads.ranking import RankingHead

        return RankingHead(self.how.pooling, self.options.scale)

    def encode(
        self, examples: Sequence[Pair], tokenizer: PreTrainedTokenizerBase, *, max_length: int
    ) -> list[Encoded]:
        """Of each example its question, its passage, then its negatives, if it has gold.

        A passage that stands there several times has one array of tokens, by which it is known. The
        target of a passage is its number, that of a question the numbers of its passages, its own
        first.
        """
        numbers = _numbered(examples)
        golds = gold_passages(examples, numbers)
        texts = [self.how.query_prompt + composed(one.text) for one in examples]
        passages = [self.how.passage_prompt + text for text in numbers]
        rule = LongText("truncate")
        asked = encode_texts(texts, None, tokenizer, max_length=max_length, rule=rule)
        told = list(encode_texts(passages, None, tokenizer, max_length=max_length, rule=rule))
        encoded: list[Encoded] = []
        for index, (example, question, gold) in enumerate(zip(examples, asked, golds, strict=True)):
            encoded.append(replace(question, target=gold if example.is_gold else None))
            for text in example.passages if example.is_gold else (example.pair,):
                number = numbers[composed(text)]
                target = number if example.is_gold else None
                encoded.append(replace(told[number], example=index, target=target))
        return encoded

    def remarks(self, examples: Sequence[Pair], encoded: Sequence[Encoded]) -> list[str]:
        return []

    # --- checks -------------------------------------------------------------------------------

    def readings(self, examples: Sequence[Pair]) -> list[Reading]:
        return [Reading((one.text, one.pair), (), None) for one in examples]

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        return []

    # --- answers ------------------------------------------------------------------------------

    def decode(self, example: Pair, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """The cosine of the question and its passage as ``value``."""
        (_, question), (_, passage) = pieces[:2]
        answer: Answer = {"id": example.id, "text": example.text, "text_pair": example.pair}
        answer["value"] = _cosine(question, passage)
        answer["truncated"] = any(one.dropped > 0 for one, _ in pieces[:2])
        return answer

    def ranked(self, examples: Sequence[Pair], pieces: Sequence[Pieces]) -> list[Answer]:
        """Answers of examples with gold, among whose passages each question is asked.

        ``rank`` (of the first gold passage), ``ranks`` (of all), ``of`` (passages), ``found`` (the
        best one), ``similarity`` (with that one), ``probability`` (of the own one, in the loss).
        """
        vectors: dict[str, FloatArray] = {}
        for example, parts in zip(examples, pieces, strict=True):
            for text, (_, vector) in zip(example.passages, parts[1:], strict=True):
                vectors.setdefault(composed(text), vector)
        numbers = {text: number for number, text in enumerate(vectors)}
        found = ranked(
            np.stack([parts[0][1] for parts in pieces]),  # [N, H]
            np.stack(list(vectors.values())),  # [P, H]
            gold_passages(examples, numbers),
            scale=self.options.scale,
        )
        texts = list(numbers)
        answers = []
        for example, parts, one in zip(examples, pieces, found, strict=True):
            answer: Answer = {"id": example.id, "text": example.text, "found": texts[one.first]}
            answer |= {"rank": one.ranks[0], "ranks": list(one.ranks), "of": len(texts)}
            answer |= {"similarity": one.similarity, "probability": exp(one.log_p)}
            answer["truncated"] = any(piece.dropped > 0 for piece, _ in parts)
            answers.append(answer)
        return answers

    def gold(self, example: Pair, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """The gold passage, and the loss: -log of its probability."""
        p = answer.get("probability")
        loss = 1 - answer["value"] if p is None else -float(np.log(max(p, np.finfo(float).tiny)))
        return {"gold": [composed(example.pair)], "loss": loss}

    def evidence(self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]) -> None:
        """There is no probability to be calibrated."""

    def regain(self, record: Mapping[str, Any]) -> Pair:
        return Pair(record["id"], 0, record["text"], record["gold"][0])

    def score(self, examples: Sequence[Pair], answers: Sequence[Answer]) -> Scores:
        return ranking_scores([one["ranks"] for one in answers], [one["of"] for one in answers])


def _numbered(examples: Sequence[Pair]) -> dict[str, int]:
    """The number of each passage, by its composed text."""
    numbers: dict[str, int] = {}
    for example in examples:
        for text in example.passages:
            numbers.setdefault(composed(text), len(numbers))
    return numbers


def gold_passages(examples: Sequence[Pair], numbers: Mapping[str, int]) -> list[list[int]]:
    """The passages that answer each question, its own first; equal questions share theirs."""
    known: dict[str, dict[int, None]] = {}
    for example in examples:
        known.setdefault(composed(example.text), {})[numbers[composed(example.pair)]] = None
    found = []
    for example in examples:
        own = numbers[composed(example.pair)]
        found.append([own, *(one for one in known[composed(example.text)] if one != own)])
    return found


def _cosine(one: FloatArray, other: FloatArray) -> float:
    return float(np.dot(one.astype(np.float64), other.astype(np.float64)))
