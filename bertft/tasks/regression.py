"""Regression: a text, or a pair, goes in; a number (a similarity from 0 to 5, say) comes out.

An option of classification: ``name = "classification"`` with ``regression = true``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.checks.finding import Finding, Reading, Split
from bertft.contracts import Answer, Encoded, Head, Learned, Pieces, Task
from bertft.errors import CellError, DataError, RecipeError
from bertft.evaluation.statistic import Scores
from bertft.loaders.source import Source
from bertft.rows import mapped
from bertft.tasks.classification import Classification
from bertft.tasks.classification_options import ClassificationOptions, read_options, soft_row
from bertft.tasks.long_text import LongText
from bertft.tasks.text_rows import TextExample, TextRows, encode_examples

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from bertft.evaluation.calibration import Scaling

LABEL_OPTIONS = (
    "multi_label", "label_names", "label_aliases", "label_smoothing", "label_separator",
    "class_weights", "threshold", "thresholds", "out_of_scope", "out_of_scope_label",
    "out_of_scope_refused",
)  # fmt: skip
LARGEST = 1e18
"""Of a number that is learned: the square of an error fits into float32."""


def from_options(settings: Mapping[str, Any]) -> Task[Any]:
    """The task of a ``[task]`` table named classification. Raises RecipeError."""
    options = read_options(settings)
    if not options.regression:
        return Classification(options)
    if isinstance(options.label_column, list):
        hint = "name the one column of the number"
        raise RecipeError("[task]: a list in label_column does not go with regression", hint=hint)
    usual = ClassificationOptions()
    for option in LABEL_OPTIONS:
        if getattr(options, option) != getattr(usual, option):
            raise RecipeError(f"[task]: {option} does not go with regression", hint="leave it out")
    return Regression(options)


@dataclass(frozen=True, slots=True)
class Regression:
    """The task; it has no labels and learns nothing but weights."""

    options: ClassificationOptions
    name: str = "classification"
    metric: str = "pearson"
    labels: tuple[str, ...] = ()

    @property
    def scaling(self) -> Scaling:
        return ()

    @property
    def learned(self) -> Learned:
        return {}

    def read(self, source: Source) -> Iterator[TextExample]:
        return self._rows().read(source)

    def example(self, record: str | Mapping[str, Any], *, id: str) -> TextExample:
        return self._rows().example(record, id=id)

    def _rows(self) -> TextRows:
        o = self.options
        label = "" if isinstance(o.label_column, list) else o.label_column
        return TextRows(lambda first: _number, o.text_column, o.pair_column, label, o.pairs)

    def bind(self, labels: Sequence[str], learned: Mapping[str, Any]) -> Regression:
        return self

    def learn_labels(self, examples: Sequence[TextExample], *, path: str) -> Regression:
        """Itself. Raises DataError when all rows have the same number: nothing to learn."""
        if len({example.gold for example in examples}) < 2:
            what = f"all rows have the same number ({examples[0].gold})"
            raise DataError(what, path=path, hint="add rows with another one")
        return self

    def check(self, examples: Sequence[TextExample], *, path: str) -> list[str]:
        """Every number is a possible target."""
        return []

    def fit(self, examples: Sequence[TextExample], pieces: Sequence[Pieces]) -> Regression:
        return self

    def head(self, examples: Sequence[TextExample]) -> Head:
        from bertft.heads.number import NumberHead

        numbers = [_gold(example) for example in examples]
        return NumberHead(float(np.mean(numbers)) if numbers else None)

    def encode(
        self,
        examples: Sequence[TextExample],
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_length: int,
    ) -> Sequence[Encoded]:
        o = self.options
        rule = LongText(o.long_text, o.window_overlap)
        return encode_examples(
            examples,
            tokenizer,
            targets=mapped(lambda one: None if one.gold is None else _gold(one), examples),
            pairs=o.pairs,
            max_length=max_length,
            rule=rule,
        )

    def remarks(self, examples: Sequence[TextExample], encoded: Sequence[Encoded]) -> list[str]:
        return []

    def readings(self, examples: Sequence[TextExample]) -> Sequence[Reading]:
        return mapped(lambda one: Reading(one.texts, (), _gold(one)), examples)

    def findings(
        self, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
    ) -> list[Finding]:
        return []

    def decode(self, example: TextExample, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """The mean output over the example's windows."""
        answer: Answer = {"id": example.id, "text": example.text}
        if example.pair is not None:
            answer["text_pair"] = example.pair
        answer["value"] = float(np.mean([piece[1] for piece in pieces], dtype=np.float64))
        answer["truncated"] = any(piece[0].dropped > 0 for piece in pieces)
        return answer

    def soft(self, example: TextExample, pieces: Pieces) -> float:
        """The number."""
        return float(self.decode(example, pieces)["value"])

    def soft_row(self, example: TextExample, told: Sequence[float]) -> dict[str, Any]:
        return soft_row(self.options, example, sum(told) / len(told), column="label")

    def gold(self, example: TextExample, answer: Answer, pieces: Pieces) -> dict[str, Any]:
        """The gold number, and the squared error."""
        gold = _gold(example)
        return {"gold": gold, "loss": (answer["value"] - gold) ** 2} | example.origin

    def evidence(self, answers: Sequence[Answer], golds: Sequence[Mapping[str, Any]]) -> None:
        """There is no probability to be calibrated."""

    def regain(self, record: Mapping[str, Any]) -> TextExample:
        return TextExample(record["id"], 0, record["text"], record.get("text_pair"), record["gold"])

    def score(self, examples: Sequence[TextExample], answers: Sequence[Answer]) -> Scores:
        from bertft.evaluation.scores import number_scores

        return number_scores([_gold(one) for one in examples], [one["value"] for one in answers])


def _gold(example: TextExample) -> float:
    assert isinstance(example.gold, float)
    return example.gold


def _number(value: Any, told: Counter[str]) -> float:
    """A gold cell. Raises ValueError when it holds no finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"the label {value!r} is not a number") from None
    if not math.isfinite(number):
        raise CellError("the label is missing", code="missing-label")
    if abs(number) > LARGEST:
        raise ValueError(f"the label {number:g} is too large to be learned")
    return number
