"""What each row is called: by the file's own id, else by its number.

In: a Table, or one mapping. Out: an id for each row. A column is taken for ids where its values
differ in the rows that were read ahead; ids that repeat further on are kept, counted and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bertft.loaders import Row, Table
from bertft.loaders.source import Meter

ID_COLUMNS = (
    "id", "guid", "uuid", "uid", "question_id", "questionid", "qid", "pair_id", "pairid", "idx",
    "example_id", "record_id", "sentence_id", "sentenceid", "sent_id", "text_id", "doc_id",
    "document_id", "review_id", "comment_id", "tweet_id", "news_id", "article_id", "번호",
    "아이디", "순번", "일련번호",
)  # fmt: skip
"""In any case; the first that tells rows apart is taken."""
QUESTION_IDS = ("id", "guid", "uuid", "uid", "question_id", "questionid", "qid")
"""Those that are meant to tell questions apart: where they do not, the file is at fault."""
WATCHED = 1_000_000
"""Ids that are remembered at most, to see one that repeats."""


def own_id(value: Any) -> str:
    """An id as text; "" for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else "" if value != value else str(value)
    text = str(value)
    return text if text.strip() else ""


def id_columns(columns: Sequence[str], names: Sequence[str] = ID_COLUMNS) -> list[str]:
    """Those of some columns that may hold ids, the likeliest first."""
    folded = {name.casefold(): name for name in reversed(columns)}
    return [folded[name] for name in names if name in folded]


def id_of(fields: Mapping[str, Any], names: Sequence[str] = ID_COLUMNS) -> str:
    """The own id of a single record; "" where it has none."""
    values = (own_id(fields[name]) for name in id_columns(tuple(fields), names))
    return next(filter(None, values), "")


class RowIds:
    """Calls the rows of a table by their ids, one after another.

    ``unique``: who reads refuses questions whose ids repeat.
    """

    def __init__(self, table: Table, meter: Meter, *, unique: bool = False) -> None:
        self._meter = meter
        self._unique = unique
        self._column, self._repeated = _choose(table, unique=unique)
        self._seen: set[str] = set()
        self._clash = bool(self._column) and _clash(table, self._column)
        meter.own_ids = bool(self._column)

    def of(self, row: Row) -> str:
        """What the row is called."""
        if not self._column:
            if self._repeated:
                what = f"rows are numbered: the column '{self._repeated}' repeats its values"
                self._meter.repaired[what] += 1
            return row.number
        name = own_id(row.fields.get(self._column))
        if not name:
            self._meter.repaired[f"rows without '{self._column}' are numbered"] += 1
            name = row.number
            return f"row {name}" if self._clash or name in self._seen else name
        if not self._unique:
            self._watch(name)
        return name

    def _watch(self, name: str) -> None:
        if name in self._seen:
            what = f"rows have the '{self._column}' of an earlier row: ids do not tell them apart"
            self._meter.repaired[what] += 1
        elif len(self._seen) < WATCHED:
            self._seen.add(name)


class SentenceIds:
    """Ids in comments begin anew in each document of some files: those that repeat get a line."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._seen: set[str] = set()

    def own(self, name: str, *, line: int) -> str:
        """An id that no other sentence has; ``name`` is the line where a sentence has none."""
        if name in self._seen:
            self._meter.repaired[
                "sentences have the id of an earlier one: their line is added"
            ] += 1
            name = f"{name}:{line}"
        if name != str(line) and len(self._seen) < WATCHED:
            self._seen.add(name)
        return name


def _clash(table: Table, column: str) -> bool:
    """Whether the number of a row without an id is the id of another one."""
    named = {own_id(row.fields.get(column)) for row in table.first}
    return any(row.number in named for row in table.first if not own_id(row.fields.get(column)))


def _choose(table: Table, *, unique: bool) -> tuple[str, str]:
    """(the column of the ids, "") or ("", a column that repeats its values, where there is one)."""
    partly, repeated = "", ""
    for column in id_columns(table.columns):
        names = [name for row in table.first if (name := own_id(row.fields.get(column)))]
        if len(set(names)) < len(names):
            repeated = repeated or column
        elif len(names) == len(table.first):  # also where nothing was read ahead
            return column, ""
        elif names:
            partly = partly or column
    chosen = partly or (repeated if unique and repeated.casefold() in QUESTION_IDS else "")
    return chosen, "" if chosen else repeated
