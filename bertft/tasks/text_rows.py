"""Rows with a text, or two, and their gold: what classification, NLI and regression read.

In: a Source, the column names to look for and a function that reads a gold cell. Out: TextExample.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertft.contracts import Encoded
from bertft.errors import CellError, DataError
from bertft.loaders import length_fault
from bertft.loaders.rows import pick_column, read_rows
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks.long_text import LongText, encode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXT_COLUMNS = (
    "text", "sentence", "document", "review", "content", "comment", "utterance", "query",
    "sentence1", "premise", "question1", "text_a", "question",
)  # fmt: skip
PAIR_COLUMNS = ("text_pair", "sentence2", "hypothesis", "question2", "text_b")
LABEL_COLUMNS = (
    "label", "labels", "category", "intent", "class", "sentiment", "emotion", "target",
    "gold_label", "score", "similarity",
)  # fmt: skip

SKIP_HINT = "fix the row, or leave such rows out with --on-bad-row skip"

Gold = tuple[str, ...] | float
"""Label names as the file spells them, or the number that regression learns."""

_NO_DATA = DataSettings()


@dataclass(frozen=True, slots=True)
class TextExample:
    """One text, or a pair of texts; ``gold`` is None when predicting."""

    id: str
    line: int
    text: str
    pair: str | None = None
    gold: Gold | None = None

    @property
    def group(self) -> str:
        return "" if self.pair is None else self.text

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the model reads."""
        return (self.text,) if self.pair is None else (self.text, self.pair)

    @property
    def names(self) -> tuple[str, ...]:
        """Gold label names; empty without gold."""
        return self.gold if isinstance(self.gold, tuple) else ()


@dataclass(frozen=True, slots=True)
class TextRows:
    """Where texts and gold are. A column that is "" is looked for by its usual names.

    ``read_gold`` turns a cell into Gold and raises ValueError for one that is none; rows whose cell
    is in ``left_out`` have no gold by design: they are skipped and counted.
    """

    read_gold: Callable[[Any], Gold]
    text_column: str = ""
    pair_column: str = ""
    label_column: str = ""
    pairs: bool = False
    left_out: frozenset[Any] = frozenset()

    def read(self, source: Source) -> Iterator[TextExample]:
        """Examples in file order. Raises DataError with file and line."""
        table = read_rows(source)
        columns = self._columns(table.columns, source)
        for row in table:
            label = columns[2]
            if self.left_out and label and _is_in(cell(row.fields, label), self.left_out):
                source.meter.counts["rows without an agreed label are left out"] += 1
                continue
            try:
                yield self._example(row.fields, columns, line=row.line, source=source)
            except DataError as error:
                source.bad_row(error)

    def example(self, record: str | Mapping[str, Any], *, id: str) -> TextExample:
        """An example without gold (Python API)."""
        if isinstance(record, str):
            if self.pairs:
                raise DataError(
                    "this model compares two texts", hint='give {"text": ..., "text_pair": ...}'
                )
            return TextExample(id, 0, record)
        source = Source("<input>", data=_NO_DATA, gold=False)
        columns = self._columns(tuple(record), source)
        return self._example(record, columns, line=0, source=source, id=id)

    def _columns(self, found: Sequence[str], source: Source) -> tuple[str, str | None, str | None]:
        """(text, pair, label) columns of this file."""
        path = source.path
        # Plain text has one column of its own name, whatever those of the training data were.
        wanted = "" if not source.gold and tuple(found) == ("text",) else self.text_column
        text = pick_column(found, wanted, TEXT_COLUMNS, what="text", path=path)
        pair = label = None
        if self.pairs:
            pair = pick_column(
                found, self.pair_column, PAIR_COLUMNS, what="pair", path=path, taken=(text,)
            )
        if source.gold:
            taken = (text, pair)
            label = pick_column(
                found, self.label_column, LABEL_COLUMNS, what="label", path=path, taken=taken
            )
        return text, pair, label

    def _example(
        self,
        fields: Mapping[str, Any],
        columns: tuple[str, str | None, str | None],
        *,
        line: int,
        source: Source,
        id: str = "",
    ) -> TextExample:
        """One row; ``id`` serves where it has none of its own, else the line number."""
        text_column, pair_column, label_column = columns
        try:
            text = _text(fields, text_column, required=source.gold)
            pair = None if pair_column is None else _text(fields, pair_column, required=source.gold)
            gold = None if label_column is None else self.read_gold(cell(fields, label_column))
        except ValueError as error:
            code = error.code if isinstance(error, CellError) else ""
            raise DataError(
                str(error), path=source.path, line=line, hint=SKIP_HINT, code=code
            ) from None
        identity = fields.get("id", fields.get("guid", fields.get("idx")))
        name = (id or str(line)) if identity is None else str(identity)
        return TextExample(name, line, text, pair, gold)


def encode_examples(
    examples: Sequence[TextExample],
    tokenizer: PreTrainedTokenizerBase,
    *,
    pairs: bool,
    max_length: int,
    rule: LongText,
) -> list[Encoded]:
    """Windows of the composed (NFC) texts, without targets."""
    texts = [unicodedata.normalize("NFC", example.text) for example in examples]
    seconds = None
    if pairs:
        seconds = [unicodedata.normalize("NFC", example.pair or "") for example in examples]
    return encode_texts(texts, seconds, tokenizer, max_length=max_length, rule=rule)


def cell(fields: Mapping[str, Any], column: str) -> Any:
    """A column's value; ``labels.score`` reaches into an object of JSON."""
    if column in fields or "." not in column:
        return fields.get(column)
    outer, _, inner = column.partition(".")
    value = fields.get(outer)
    return cell(value, inner) if isinstance(value, Mapping) else None


def _is_in(value: Any, values: frozenset[Any]) -> bool:
    return isinstance(value, (str, int, float, type(None))) and value in values


def _text(fields: Mapping[str, Any], column: str, *, required: bool) -> str:
    value = cell(fields, column)
    if isinstance(value, (list, dict, bytes)):
        raise ValueError(f"the text (column '{column}') is {type(value).__name__}, not text")
    if value is None or isinstance(value, float):
        value = "" if value is None or math.isnan(value) else str(value)
    text = value if isinstance(value, str) else str(value)
    if required and not text.strip():
        raise CellError(f"the text (column '{column}') is empty", code="empty-text")
    if fault := length_fault(text):
        raise ValueError(fault)
    return text
