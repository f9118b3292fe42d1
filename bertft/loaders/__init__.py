"""Files in, rows of untouched text out; nothing here knows about tasks, labels or tokenizers.

ahead.py    what is read ahead, and the faults in it, in their order
files.py    paths, stdin, gzip and encodings -> decoded lines
tables.py   CSV and TSV (delimited.py) -> rows; ``open_table`` finds the reader for every format
            that has columns
workbooks.py  sheets of Excel and OpenDocument
text.py     plain text, JSON lines and JSON arrays -> rows
hub.py      data sets of the Hugging Face Hub and Parquet files -> rows
rows.py     any of these by the source's name -> rows
ids.py      what each row is called
conll.py    tagged words or characters -> texts with entities; tagged_rows.py: the same from rows
            (word_lines.py: which column is what; tag_spelling.py: PER-B, b-per; entities.py,
            offsets.py: spans; annotations/: what annotation tools export)
squad.py    questions about passages; articles.py: those of nested SQuAD files;
            answer_places.py: where answers stand
pairs.py    questions and the passages that answer them, for retrieval

Here are the two types that all of them share; ``tables`` hands them out too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

    ``record`` is its 1-based place in a JSON array, where lines need not tell records apart;
    ``where`` says that in a message where they do not, and is else "". ``path`` is the file of the
    line, where it is not that of the table.
    """

    fields: dict[str, Any]
    line: int
    record: int = 0
    where: str = ""
    path: str = ""

    @property
    def number(self) -> str:
        """What tells it from every other row of the file: its record, or else its line."""
        return str(self.record or self.line)


class Table:
    """Rows, read once, in constant memory.

    ``columns`` are the names in the header, or those of the first rows of JSON; ``first`` are rows
    that were read ahead; ``fraction()`` is the share read so far, None where the size is not known;
    ``revision`` the commit of a Hub data set, where it is known.
    """

    def __init__(
        self,
        *,
        path: str,
        columns: tuple[str, ...],
        rows: Iterator[Row],
        fraction: Callable[[], float | None],
        revision: str = "",
        first: Sequence[Row] = (),
    ) -> None:
        self.path = path
        self.columns = columns
        self.fraction = fraction
        self.revision = revision
        self.first = first
        self._rows: Iterator[Row] | None = rows

    def __iter__(self) -> Iterator[Row]:
        if self._rows is None:
            raise RuntimeError(f"{self.path}: a Table is read once; open it again")
        rows, self._rows = self._rows, None
        return rows
