"""Tables with one word in each row, as Kaggle and simpletransformers have them.

In: the rows of a table with a column of sentences, of words and of tags. Out: a row for each
sentence, its words and tags in lists. An empty cell of the sentence means: the same as above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row, Table

SENTENCE_COLUMNS = (
    "sentence_id", "sentence #", "sentence_idx", "sent_id", "sentence_no", "sentence id",
    "sentence number", "sent_no", "sentence_number", "doc_id", "document_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WordColumns:
    """The columns of such a table; ``tag`` is "" without gold."""

    sentence: str
    word: str
    tag: str


def sentences(table: Table, columns: WordColumns) -> Table:
    """The table with a row for each sentence. Raises DataError for a sentence in two places."""
    names = tuple(filter(None, ("id", columns.word, columns.tag)))
    rows = _grouped(table, columns)
    return Table(path=table.path, columns=names, rows=rows, fraction=table.fraction)


def _grouped(table: Table, columns: WordColumns) -> Iterator[Row]:
    current, line = "", 0
    words: list[Any] = []
    tags: list[Any] = []
    done: set[str] = set()
    for row in table:
        name = _text(row.fields.get(columns.sentence)).strip() or current
        if name != current and words:
            yield _row(current, line, words, tags, columns)
            done.add(current)
            words, tags = [], []
        if name in done:
            what = f"the sentence '{name[:40]}' goes on here, behind others"
            hint = "sort the rows by sentence"
            raise DataError(what, path=table.path, line=row.line, hint=hint)
        if not name:
            what = f"no sentence in column '{columns.sentence}'"
            raise DataError(what, path=table.path, line=row.line)
        line = line if words else row.line
        current = name
        words.append(_text(row.fields.get(columns.word)))
        if columns.tag:
            tags.append(_text(row.fields.get(columns.tag)))
    if words:
        yield _row(current, line, words, tags, columns)


def _row(name: str, line: int, words: list[Any], tags: list[Any], columns: WordColumns) -> Row:
    fields: dict[str, Any] = {"id": name, columns.word: words}
    return Row(fields | ({columns.tag: tags} if columns.tag else {}), line)


def _text(value: Any) -> str:
    """A cell as text: numbers of JSON and Parquet are words as well."""
    if value is None or value != value:  # NaN: an empty cell of pandas
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
