"""A table of answers as a Parquet file.

In: a path. Out: a function that writes an answer with its row, as tables.py lays it out. Columns
have the types of the first rows: numbers and truth values stay such, whatever is nested or mixed is
text (JSON). Rows go to the file a group at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from bertft.errors import DataError
from bertft.loaders.workbooks import Seen
from bertft.prediction.tables import TableWriter, Tell, Write, as_text

GROUP = 10_000
"""Rows of a group, which is what is held in memory."""
PLAIN = (bool, int, float, str, date, datetime)


@contextmanager
def parquet(path: Path, tell: Tell, *, may_fail: bool = True) -> Iterator[Write]:
    """Raises DataError where a later value does not fit the type of its column."""
    table = _Columns(path)
    writer = TableWriter(table.put, tell, may_fail=may_fail)
    try:
        yield writer
        writer.close()
        table.flush()
    finally:
        table.close()


class _Columns:
    """The file: a header first, then rows, which wait for their group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []
        self._rows: list[list[Any]] = []
        self._as_text: set[int] = set()
        self._file: Any = None

    def put(self, own: Sequence[Any], added: Sequence[Any]) -> None:
        cells = [*own, *added]
        if not self._names:
            self._names = list(map(str, cells))
            return
        self._rows.append([one.value if isinstance(one, Seen) else one for one in cells])
        if len(self._rows) >= GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait; the first time, a file even without any."""
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
        import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

        if self._file is not None and not self._rows:
            return
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(self._names)
        if self._file is None:
            self._as_text = {n for n, one in enumerate(columns) if not _is_plain(one)}
            arrays = [pa.array(self._values(n, one)) for n, one in enumerate(columns)]
            types = [pa.string() if pa.types.is_null(one.type) else one.type for one in arrays]
            schema = pa.schema(list(zip(self._names, types, strict=True)))
            self._file = pq.ParquetWriter(str(self._path), schema)
        schema = self._file.schema
        arrays = []
        for n, (name, cells) in enumerate(zip(self._names, columns, strict=True)):
            try:
                arrays.append(pa.array(self._values(n, cells), type=schema.field(n).type))
            except (pa.ArrowException, OverflowError):
                what = f"column '{name}' holds other values than its first {GROUP:,} rows"
                raise DataError(what, hint="write --format jsonl or csv") from None
        self._file.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self._rows = []

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _values(self, column: int, cells: Sequence[Any]) -> Sequence[Any]:
        if column not in self._as_text:
            return cells
        return [None if one is None else as_text(one) for one in cells]


def _is_plain(cells: Sequence[Any]) -> bool:
    """Whether cells are values of one type that a column can have."""
    kinds = {type(one) for one in cells if one is not None}
    return kinds <= {int, float} or (len(kinds) == 1 and kinds <= set(PLAIN))
