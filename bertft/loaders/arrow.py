"""Rows of Arrow batches: Parquet files, and what datasets reads.

In: a Parquet file, or batches of a data set with its features. Out: rows in order, class labels by
name; a value that Python cannot hold is a bad row, not the end of the file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row, Table
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.json_text import read_json_text
from bertft.loaders.source import BadRow, Source

BATCH = 1000
Naming = Callable[[Any], Any]
"""Turns the label numbers in a value into names."""
_UNFIT = (ValueError, IndexError, OverflowError, NotImplementedError)
"""What Arrow raises for values that Python cannot hold: bytes that are no text, a year 60000."""


def read_parquet(source: Source) -> Table:
    """The rows of a Parquet file, a batch in memory at a time."""
    import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]
    import pyarrow.parquet as pq  # type: ignore[import-untyped, unused-ignore]

    path = source.path
    if path == STDIN:
        raise DataError(
            "Parquet cannot be read from a pipe", path="stdin", hint="save it to a file"
        )
    try:
        file = pq.ParquetFile(resolve(path))
        columns = tuple(file.schema_arrow.names)
    except (pa.ArrowException, OSError, *_UNFIT) as error:
        raise DataError(f"not a whole Parquet file ({told_short(error)})", path=path) from None
    if len(set(columns)) < len(columns):
        raise DataError("two columns have the same name", path=path, hint=", ".join(columns))
    total = file.metadata.num_rows
    batches = file.iter_batches(batch_size=BATCH)
    naming = namings(_features_of(file.schema_arrow.metadata))
    naming = {column: name for column, name in naming.items() if column in columns}
    rows = ArrowRows(batches=batches, total=total, path=path, bad_row=source.bad_row, naming=naming)
    return Table(path=path, columns=columns, rows=iter(rows), fraction=rows.fraction)


class ArrowRows:
    """Rows of Arrow batches; ``naming`` turns label numbers of some columns into names."""

    def __init__(
        self,
        *,
        batches: Iterator[Any],
        total: int,
        path: str,
        bad_row: BadRow,
        naming: dict[str, Naming],
    ) -> None:
        self._batches = batches
        self._total = total
        self._path = path
        self._bad_row = bad_row
        self._naming = naming
        self._done = 0

    def fraction(self) -> float:
        """Share of the rows read so far."""
        return self._done / self._total if self._total else 1.0

    def __iter__(self) -> Iterator[Row]:
        while (batch := self._next_batch()) is not None:
            try:
                rows = self._fields(batch)
            except _UNFIT:
                yield from self._one_by_one(batch)
                continue
            for fields in rows:
                self._done += 1
                yield Row(fields, self._done)

    def _next_batch(self) -> Any:
        import pyarrow as pa

        try:
            return next(self._batches, None)
        except (pa.ArrowException, OSError, *_UNFIT) as error:
            reason = f"damaged ({told_short(error)})"
            raise DataError(reason, path=self._path, line=self._done + 1) from None

    def _fields(self, batch: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = batch.to_pylist()
        for column, name in self._naming.items():
            for fields in rows:
                fields[column] = name(fields[column])
        return rows

    def _one_by_one(self, batch: Any) -> Iterator[Row]:
        for index in range(batch.num_rows):
            self._done += 1
            try:
                fields = self._fields(batch.slice(index, 1))[0]
            except _UNFIT as error:
                fault = "not UTF-8 text" if isinstance(error, UnicodeError) else told_short(error)
                self._bad_row(DataError(fault, path=self._path, line=self._done))
            else:
                yield Row(fields, self._done)


def _naming(feature: Any) -> Naming | None:
    """What turns the label numbers inside a feature's values into names; None without labels.

    ``feature`` is as ``datasets`` writes it to JSON: an object with ``_type``, or of features.
    """
    if isinstance(feature, list):
        return _naming(feature[0]) if len(feature) == 1 else None
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return partial(_each, name=partial(_name_of, names=names))
    if "_type" in feature:
        return _naming(feature.get("feature"))
    parts = {key: part for key in feature if (part := _naming(feature[key]))}
    return partial(_each, name=partial(_name_parts, parts=parts)) if parts else None


def _each(value: Any, *, name: Naming) -> Any:
    """``name`` of a value, or of all values in lists of it."""
    return [_each(one, name=name) for one in value] if isinstance(value, list) else name(value)


def _name_of(value: Any, *, names: list[str]) -> Any:
    """The name of a label number; None below 0, where there is no label. ValueError for others."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    if value % 1 or value >= len(names):
        raise ValueError(f"the label {value} is none of the file's {len(names)} label names")
    return names[int(value)] if value >= 0 else None


def _name_parts(value: Any, *, parts: dict[str, Naming]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: parts[key](part) if key in parts else part for key, part in value.items()}


def _features_of(metadata: Any) -> dict[str, Any]:
    """The features that ``datasets`` wrote into a file's metadata; {} where there are none."""
    try:
        found = read_json_text((metadata or {})[b"huggingface"].decode())["info"]["features"]
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def namings(features: dict[str, Any]) -> dict[str, Naming]:
    """Column -> what names its labels, for columns that hold some."""
    return {column: name for column in features if (name := _naming(features[column]))}


def told_short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
