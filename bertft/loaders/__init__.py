"""Files in, rows of untouched text out; nothing here knows about tasks, labels or tokenizers.

files.py    paths, stdin, gzip and encodings -> decoded lines
tables.py   CSV and TSV -> rows; ``open_table`` finds the reader for every format with columns
text.py     plain text, JSON lines and JSON arrays -> rows
hub.py      data sets of the Hugging Face Hub and Parquet files -> rows
rows.py     any of these by the source's name -> rows
conll.py    tagged words or characters -> texts with entities; tagged_rows.py: the same from rows
            (word_lines.py: which column is what; tag_spelling.py: PER-B, b-per; entities.py,
            offsets.py: spans; annotations/: what annotation tools export)
squad.py    questions about passages; articles.py: those of nested SQuAD files

Here are the two types that all of them share; ``tables`` hands them out too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 4 * 2**20
"""Characters of one text: a tokenizer takes hundreds of bytes for each."""


def length_fault(text: str) -> str:
    """Why a text is too long for a model; "" when it is not."""
    if len(text) <= MAX_TEXT:
        return ""
    return f"a text of {len(text):,} characters, of which {MAX_TEXT:,} are the most; split it"


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its fields by name, and the 1-based line (Parquet, Hub: row) it starts on.

    ``path`` is the file of the line, where it is not that of the table.
    """

    fields: dict[str, Any]
    line: int
    path: str = ""


class Table:
    """Rows, read once, in constant memory.

    ``columns`` are the names in the header, or those of the first rows of JSON; ``fraction()`` is
    the share read so far, None where the size is not known; ``revision`` the commit of a Hub data
    set, where it is known.
    """

    def __init__(
        self,
        *,
        path: str,
        columns: tuple[str, ...],
        rows: Iterator[Row],
        fraction: Callable[[], float | None],
        revision: str = "",
    ) -> None:
        self.path = path
        self.columns = columns
        self.fraction = fraction
        self.revision = revision
        self._rows: Iterator[Row] | None = rows

    def __iter__(self) -> Iterator[Row]:
        if self._rows is None:
            raise RuntimeError(f"{self.path}: a Table is read once; open it again")
        rows, self._rows = self._rows, None
        return rows
