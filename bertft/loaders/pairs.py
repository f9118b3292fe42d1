"""Questions and the passages that answer them: a Source in, Pairs out, in file order.

Rows of a table have a column of questions and one of passages, and may have hard negatives:
passages that look like an answer and are none, a text or a list in each of their columns. Of a
nested file of questions (SQuAD, KorQuAD, KLUE-MRC) a question's passage is the one it was asked
about; questions without an answer are left out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bertft.errors import DataError
from bertft.loaders.articles import Record
from bertft.loaders.cells import read_cell
from bertft.loaders.column_names import ANSWER, CONTEXT, QUESTION, folded
from bertft.loaders.ids import RowIds, id_of
from bertft.loaders.json_text import JsonError
from bertft.loaders.rows import pick_column, read_rows
from bertft.loaders.source import Source
from bertft.loaders.squad import SKIP_HINT, nested_records, text_field

QUESTIONS = (*QUESTION, "anchor", "text")
PASSAGES = ("positive", *CONTEXT[1:3], CONTEXT[0], *CONTEXT[3:], "document", *ANSWER, "text_pair")
NEGATIVES = ("negative", "hardnegative", "오답")
"""How names of columns of negatives begin; a number may follow, or an s."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question (``text``) and a passage that answers it (``pair``).

    ``negatives`` are passages that do not. ``is_gold``: the passage is said to answer; without that
    the two are only compared.
    """

    id: str
    line: int
    text: str
    pair: str
    negatives: tuple[str, ...] = ()
    is_gold: bool = True
    given_group: str = field(default="", repr=False)
    """What ``data.group_column`` says."""

    @property
    def group(self) -> str:
        return self.given_group or self.pair

    @property
    def passages(self) -> tuple[str, ...]:
        """All that the question is compared with, its own passage first."""
        return (self.pair, *self.negatives)


@dataclass(frozen=True, slots=True)
class PairColumns:
    """Where questions, passages and negatives are; "" looks for the usual names."""

    question: str = ""
    passage: str = ""
    negative: str = ""

    def found(self, columns: Sequence[str], *, path: str, gold: bool) -> Found:
        """Raises DataError where there is no such column."""
        question = pick_column(columns, self.question, QUESTIONS, what="text", path=path)
        passage = pick_column(
            columns, self.passage, PASSAGES, what="pair", path=path, taken=(question,)
        )
        if not gold:
            return Found(question, passage)
        negatives = [name for name in columns if is_negative(name)]
        if self.negative:
            taken = (question, passage)
            negatives = [
                pick_column(columns, self.negative, (), what="negative", path=path, taken=taken)
            ]
        return Found(question, passage, tuple(negatives))


@dataclass(frozen=True, slots=True)
class Found:
    """The columns of a file."""

    question: str
    passage: str
    negatives: tuple[str, ...] = ()


def read_pairs(source: Source, columns: PairColumns) -> Iterator[Pair]:
    """The pairs of a source.

    Raises:
        DataError: the file cannot be read at all; a row that cannot be used goes to
            ``source.bad_row``.
    """
    found = Found("question", "context")
    records = nested_records(source)
    if records is None:
        table = read_rows(source)
        found = columns.found(table.columns, path=table.path, gold=source.gold)
        source.meter.columns = table.columns
        source.meter.roles = {"text_column": found.question, "pair_column": found.passage}
        if found.negatives:
            told = ", ".join(f"'{name}'" for name in found.negatives)
            source.meter.notes.append(f"hard negatives are in {told}")
        ids = RowIds(table, source.meter)
        records = (
            Record(row.fields, row.line, table.path, row.where, ids.of(row))
            for row in _metered(table, source)
        )
    for record in records:
        if source.gold and _has_no_answer(record.fields):
            source.meter.counts["questions without an answer are left out"] += 1
            continue
        try:
            yield _pair(record, found, gold=source.gold)
        except DataError as error:
            source.bad_row(error)


def pair_of(fields: Mapping[str, Any], columns: PairColumns, *, id: str) -> Pair:
    """A single pair without gold. Raises DataError (without a place)."""
    found = columns.found(tuple(fields), path="", gold=False)
    return _pair(Record(fields, line=0, path="", id=id_of(fields) or id), found, gold=False)


def composed(text: str) -> str:
    """A passage as passages are told apart: NFC, so that one text in two spellings is one."""
    return unicodedata.normalize("NFC", text)


def is_negative(column: str) -> bool:
    """Whether a column is called as those of hard negatives are."""
    name = folded(column).rstrip("0123456789")
    return name.removesuffix("s") in NEGATIVES


def _metered(table: Any, source: Source) -> Iterator[Any]:
    for row in table:
        source.meter.row = row
        yield row


def _pair(record: Record, columns: Found, *, gold: bool) -> Pair:
    question = text_field(record, columns.question, what="question")
    passage = text_field(record, columns.passage, what="passage")
    own = composed(passage)
    told = (one for name in columns.negatives for one in _negatives(record, name))
    negatives = tuple(dict.fromkeys(one for one in told if composed(one) != own))
    return Pair(record.id, record.line, question, passage, negatives, is_gold=gold)


def _negatives(record: Record, column: str) -> list[str]:
    """The texts of a cell: one, several in a list, or none."""
    value = record.fields.get(column)
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(JsonError):  # else it is a text that begins with a bracket
            value = read_cell(value)
    values = value if isinstance(value, list) else [value]
    found = [one for one in values if one is not None and one == one]  # without NaN
    for one in found:
        if not isinstance(one, str):
            what = f"a negative (column '{column}') is {one!r}, not text"
            raise record.error(what, hint=SKIP_HINT, code="unusable-text")
    return [one for one in found if one.strip()]


def _has_no_answer(fields: Mapping[str, Any]) -> bool:
    """Whether a row of question answering says that its passage does not answer."""
    if str(fields.get("is_impossible")).strip().lower() in ("true", "1", "1.0"):
        return True
    value = fields.get("answers")
    if isinstance(value, Mapping):
        value = value.get("text", value)
    return "answers" in fields and isinstance(value, list | Mapping) and not value
