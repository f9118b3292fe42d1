"""Rows with a text, or two, and their gold: what classification, NLI and regression read.

In: a Source, the column names to look for and a function that reads a gold cell. Out: TextExample.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from bertft.contracts import Encoded, Target
from bertft.encoder.encoded_rows import gathered
from bertft.errors import CellError, DataError
from bertft.loaders import Row, length_fault
from bertft.loaders.annotations import recognised
from bertft.loaders.column_names import PAIR, SOURCE, TEXT, named
from bertft.loaders.columns import other_task, pick_text_and_label
from bertft.loaders.ids import RowIds, id_of
from bertft.loaders.rows import is_plain_text, pick_column, read_rows
from bertft.loaders.source import Source
from bertft.rows import mapped
from bertft.settings import DataSettings
from bertft.tasks.label_cells import bit_columns
from bertft.tasks.long_text import LongText, encode_texts
from bertft.tasks.soft_labels import SOFT_COLUMN, Soft, read_soft

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PEEK = 1000
"""Rows that are looked at before the first is read: how gold is written, which columns hold it."""
SKIP_HINT = "fix the row, or leave such rows out with --on-bad-row skip"

Gold = tuple[str, ...] | float | Soft
"""Label names as the file spells them, their probabilities, or the number that regression
learns."""

ReadGold = Callable[[Any, Counter[str]], Gold]
"""Turns a cell into Gold; what it reads otherwise than it is written is counted. ValueError for a
cell that is none."""
Columns = tuple[str, str | None, str | tuple[str, ...] | None]
"""Text, pair and label; several for the label where each holds zeros and ones."""

_NO_DATA = DataSettings()
ALONE = Source("<input>", data=_NO_DATA, gold=False)
"""Where a text by itself comes from."""


@dataclass(frozen=True, slots=True)
class TextExample:
    """One text, or a pair of texts; ``gold`` is None when predicting."""

    id: str
    line: int
    text: str
    pair: str | None = None
    gold: Gold | None = None
    source: str = field(default="", repr=False)
    """Where the text comes from, of a column of that name; nothing is learned from it."""

    beside: Soft | None = field(default=None, repr=False, compare=False)
    """What soft labels say of a text that has a label, which is what is learned."""

    @property
    def origin(self) -> dict[str, str]:
        """As predictions.jsonl has it; {} where it is not known."""
        return {"source": self.source} if self.source else {}

    given_group: str = field(default="", repr=False)
    """What ``data.group_column`` says; not in ``repr``, which tells whether data are the same."""

    @property
    def group(self) -> str:
        return self.given_group or ("" if self.pair is None else self.text)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the model reads."""
        return (self.text,) if self.pair is None else (self.text, self.pair)

    @property
    def names(self) -> tuple[str, ...]:
        """Gold label names; empty without gold."""
        if isinstance(self.gold, Soft):
            return self.gold.names
        return self.gold if isinstance(self.gold, tuple) else ()

    @property
    def told_names(self) -> tuple[str, ...]:
        """Names of all labels that gold speaks of, improbable ones too."""
        return tuple(self.gold.p) if isinstance(self.gold, Soft) else self.names


@dataclass(frozen=True, slots=True)
class TextRows:
    """Where texts and gold are. A column that is "" is looked for by its usual names.

    ``gold`` is given the first cells of a file and says what reads them; rows whose cell is in
    ``left_out`` have no gold by design: they are skipped and counted. Rows without text are
    refused, unless ``may_be_empty``.
    """

    gold: Callable[[Sequence[Any]], ReadGold]
    text_column: str = ""
    pair_column: str = ""
    label_column: str | tuple[str, ...] = ""
    pairs: bool = False
    left_out: frozenset[Any] = frozenset()
    may_be_empty: bool = False
    several: bool = False
    """Whether a text may have several labels."""
    may_be_soft: bool = False
    """Whether rows without a label may have soft labels in a column of their own."""

    def read(self, source: Source) -> Iterator[TextExample]:
        """Examples in file order. Raises DataError with file and line."""
        table = read_rows(source)
        tool = ""
        plain = is_plain_text(source)
        source.meter.columns = table.columns
        if not self.pairs and not plain:
            table, tool = recognised(table, source, gold="labels", several=self.several)
        ids = RowIds(table, source.meter)
        first, rows = _peek(table) if source.gold else (list(table.first), iter(table))
        columns: Columns = ("text", None, "label" if source.gold else None)
        if not tool:
            columns = self._columns(table.columns, source, first)
            named = zip(("text_column", "pair_column", "label_column"), columns, strict=True)
            source.meter.roles = {option: name for option, name in named if name}
        label = columns[2]
        soft = _soft_column(table.columns, label) if self.may_be_soft else ""
        origin = _source_column(table.columns, columns)
        read_gold = None if label is None else self._reader(first, label, source)
        for row in rows:
            source.meter.row = None if tool or plain else row
            if (
                self.left_out
                and isinstance(label, str)
                and _is_in(row.fields, label, self.left_out)
                and not (soft and _has(row.fields, soft))
            ):
                source.meter.counts["rows without an agreed label are left out"] += 1
                continue
            try:
                found = self._example(
                    row, columns, read_gold, soft=soft, source=source, id=ids.of(row)
                )
                yield found if origin is None else replace(found, source=_source(row, origin))
            except DataError as error:
                source.bad_row(error)

    def _reader(
        self, first: Sequence[Row], label: str | tuple[str, ...], source: Source
    ) -> ReadGold:
        try:
            return _shared(self.gold([cell(row.fields, label) for row in first]))
        except DataError as error:
            raise DataError(error.reason, path=source.path, line=1, hint=error.hint) from None

    def example(self, record: str | Mapping[str, Any], *, id: str) -> TextExample:
        """An example without gold (Python API)."""
        if isinstance(record, str):
            if self.pairs:
                raise DataError(
                    "this model compares two texts", hint='give {"text": ..., "text_pair": ...}'
                )
            name = self.text_column or TEXT[0]
            row = Row({name: record}, 0)
            return self._example(row, (name, None, None), None, source=ALONE, id=id)
        source = Source("<input>", data=_NO_DATA, gold=False)
        columns = self._columns(tuple(record), source, [])
        row = Row(dict(record), 0)
        return self._example(row, columns, None, source=source, id=id_of(record) or id)

    def _columns(self, found: Sequence[str], source: Source, first: Sequence[Row]) -> Columns:
        """(text, pair, label) columns of this file."""
        # Plain text has one column of its own name, whatever those of the training data were.
        wanted = "" if not source.gold and tuple(found) == ("text",) else self.text_column
        if not self.pairs:
            text, label = self._text_and_label(found, source, first, wanted, taken=())
            if said := other_task(found, text=text):
                source.meter.warnings.append(said)
            return text, None, label
        path = source.path
        text = pick_column(found, wanted, TEXT, what="text", path=path)
        pair = pick_column(found, self.pair_column, PAIR, what="pair", path=path, taken=(text,))
        if not source.gold:
            return text, pair, None
        _, label = self._text_and_label(found, source, first, text, taken=(pair,))
        return text, pair, label

    def _text_and_label(
        self,
        found: Sequence[str],
        source: Source,
        first: Sequence[Row],
        wanted: str,
        *,
        taken: tuple[str, ...],
    ) -> tuple[str, str | tuple[str, ...] | None]:
        """The columns of the text and of the label; what was guessed about them is noted."""
        path, given = source.path, self.label_column
        text = pick_column(found, wanted, (), what="text", path=path) if wanted else ""
        names = (given,) if isinstance(given, str) and given else given or ()
        used = (*taken, text) if text else taken
        labels = [
            pick_column(found, one, (), what="label", path=path, taken=used)
            for one in (names if source.gold else ())
        ]
        try:
            picked = pick_text_and_label(
                found,
                first,
                text=text,
                label=labels[0] if labels else "",
                gold=source.gold,
                path=path,
                taken=(*taken, *labels[1:]),
            )
        except DataError as error:
            raise self._with_bits(
                error, found, first, taken=(*used, *named(found, TEXT)[:1])
            ) from None
        if picked.note:
            source.meter.notes.append(picked.note)
        if not source.gold:
            return picked.text, None
        return picked.text, tuple(labels) if not isinstance(given, str) else picked.label

    def _with_bits(
        self,
        error: DataError,
        found: Sequence[str],
        first: Sequence[Row],
        *,
        taken: tuple[str, ...],
    ) -> DataError:
        """The error; where columns of zeros and ones are there, with the setting for those."""
        free = [] if self.label_column else [name for name in found if name not in taken]
        bits = bit_columns([row.fields for row in first], free)
        if not bits or "for the text" in error.reason:
            return error
        names = ", ".join(f'"{name}"' for name in bits)
        hint = f"one column of zeros and ones per label? --set 'task.label_column=[{names}]'"
        if len(bits) == 1:
            hint = f"a column of zeros and ones? --set 'task.label_column={names}'"
        return DataError(error.reason, path=error.path, line=1, hint=hint)

    def _example(
        self,
        row: Row,
        columns: Columns,
        read_gold: ReadGold | None,
        *,
        soft: str = "",
        source: Source,
        id: str,
    ) -> TextExample:
        text_column, pair_column, label = columns
        fields, required = row.fields, not self.may_be_empty
        try:
            text = _text(fields, text_column, required=required)
            pair = None if pair_column is None else _text(fields, pair_column, required=required)
            gold, beside = None, None
            if label is not None and read_gold is not None:
                gold, beside = self._gold(fields, label, soft, read_gold, source.meter.repaired)
        except ValueError as error:
            raise DataError(
                f"{row.where}: {error}" if row.where else str(error),
                path=source.path,
                line=row.line,
                hint=SKIP_HINT,
                code=error.code if isinstance(error, CellError) else "",
                row=id,
            ) from None
        return TextExample(id, row.line, text, pair, gold, beside=beside)

    def _gold(
        self,
        fields: Mapping[str, Any],
        label: str | tuple[str, ...],
        soft: str,
        read_gold: ReadGold,
        told: Counter[str],
    ) -> tuple[Gold, Soft | None]:
        """Gold of a row, and what soft labels say beside it; without a label they are its gold."""
        if not soft or not _has(fields, soft):
            return read_gold(cell(fields, label), told), None
        if not _has(fields, str(label)):
            return read_soft(fields[soft], told, several=self.several), None
        unsaid = Counter[str]()
        beside = read_soft(fields[soft], unsaid, several=self.several)
        return read_gold(cell(fields, label), told), beside


def _shared(read: ReadGold) -> ReadGold:
    """The same, with one object for the names of all rows that have them."""
    known: dict[Gold, Gold] = {}

    def read_shared(value: Any, told: Counter[str]) -> Gold:
        gold = read(value, told)
        return known.setdefault(gold, gold) if isinstance(gold, tuple) else gold

    return read_shared


def numbers(first: Sequence[Any]) -> ReadGold:
    """Gold that is a number in each cell, whatever the first cells of a file are."""
    return lambda value, told: float(value)


def encode_examples(
    examples: Sequence[TextExample],
    tokenizer: PreTrainedTokenizerBase,
    *,
    targets: Iterable[Target],
    pairs: bool,
    max_length: int,
    rule: LongText,
) -> Sequence[Encoded]:
    """Windows of the composed (NFC) texts, each with the target of its example."""
    texts = mapped(lambda one: unicodedata.normalize("NFC", one.text), examples)
    seconds = None
    if pairs:
        seconds = mapped(lambda one: unicodedata.normalize("NFC", one.pair or ""), examples)
    encoded = encode_texts(texts, seconds, tokenizer, max_length=max_length, rule=rule)
    return gathered(_with_targets(encoded, targets))


def _with_targets(encoded: Iterable[Encoded], targets: Iterable[Target]) -> Iterator[Encoded]:
    """Encoded in the order of their examples, each with the target of its own."""
    asked, example, target = iter(targets), -1, None
    for one in encoded:
        while example < one.example:
            example, target = example + 1, next(asked)
        # As dataclasses.replace, at a tenth of its price.
        yield Encoded(one.input_ids, one.token_type_ids, one.example, target, dropped=one.dropped)


def cell(fields: Mapping[str, Any], column: str | tuple[str, ...]) -> Any:
    """A column's value, or those of several; ``labels.score`` reaches into an object of JSON."""
    if not isinstance(column, str):
        return tuple(cell(fields, one) for one in column)
    if column in fields or "." not in column:
        return fields.get(column)
    outer, _, inner = column.partition(".")
    value = fields.get(outer)
    return cell(value, inner) if isinstance(value, Mapping) else None


def _peek(rows: Iterable[Row]) -> tuple[list[Row], Iterator[Row]]:
    """The first rows, and all of them; what is wrong behind those is raised in its turn."""
    source, first = iter(rows), list[Row]()
    try:
        first.extend(islice(source, PEEK))
    except DataError as error:
        source = _raising(error)
    return first, chain(first, source)


def _raising(error: DataError) -> Iterator[Row]:
    raise error
    yield


def _soft_column(found: Sequence[str], label: str | tuple[str, ...] | None) -> str:
    """The column of soft labels where there is one beside that of the label; else ""."""
    there = named(found, (SOFT_COLUMN,)) if isinstance(label, str) else []
    return there[0] if there and there[0] != label else ""


def _has(fields: Mapping[str, Any], column: str) -> bool:
    """Whether a cell is not empty."""
    value = cell(fields, column)
    return value is not None and value == value and bool(str(value).strip())


def _source_column(found: Sequence[str], columns: Columns) -> str | None:
    """A column that says where texts come from, where it has no other part to play."""
    text, pair, label = columns
    used = {text, pair, *((label,) if isinstance(label, str) else label or ())}
    return next((name for name in named(found, SOURCE) if name not in used), None)


def _source(row: Row, column: str) -> str:
    value = row.fields.get(column)
    return value.strip() if isinstance(value, str) else ""


def _is_in(fields: Mapping[str, Any], column: str, values: frozenset[Any]) -> bool:
    value = cell(fields, column)
    return isinstance(value, (str, int, float, type(None))) and value in values


def _text(fields: Mapping[str, Any], column: str, *, required: bool) -> str:
    value = cell(fields, column)
    if isinstance(value, (list, dict, bytes)):
        what = f"the text (column '{column}') is {type(value).__name__}, not text"
        raise CellError(what, code="unusable-text")
    if value is None or isinstance(value, float):
        value = "" if value is None or math.isnan(value) else str(value)
    text = value if isinstance(value, str) else str(value)
    if required and not text.strip():
        raise CellError(f"the text (column '{column}') is empty", code="empty-text")
    if fault := length_fault(text):
        raise CellError(fault, code="long-text")
    return text
