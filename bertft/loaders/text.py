"""Rows out of plain text, JSON lines and JSON arrays.

In: a Source (a file or stdin). Out: Rows; plain text gives one field, ``text``, for each line that
is not blank, or one for the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row, Table
from bertft.loaders.annotations.spacy import as_records
from bertft.loaders.files import MAX_LINE, STDIN, TextFile
from bertft.loaders.json_text import JsonError, JsonReader, skip_space
from bertft.loaders.source import Source

PEEK = 100
"""Rows of JSON that are read ahead for the column names."""


class Lines:
    """Rows of plain text. ``blank`` counts the lines (or the whole text) left out as blank."""

    def __init__(self, source: Source) -> None:
        encoding = source.data.encoding
        self._file = TextFile(source.path, encoding=encoding, bad_row=source.bad_row)
        self.path = self._file.name
        self.blank = 0
        self._rows = self._whole() if source.whole_file else self._each()

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def fraction(self) -> float | None:
        """Share of the file read so far; None where its size is not known."""
        return self._file.fraction()

    def _each(self) -> Iterator[Row]:
        with self._file as file:
            for number, line in file:
                if line and not line.isspace():
                    yield Row({"text": line}, number)
                else:
                    self.blank += 1

    def _whole(self) -> Iterator[Row]:
        with self._file as file:
            try:
                text = file.read(most=MAX_LINE)
            except DataError as error:
                file.bad_row(error)
                return
            if text and not text.isspace():
                yield Row({"text": text}, 1)
            else:
                self.blank += 1


def read_lines(source: Source) -> Lines:
    """The rows of a text file or stdin: one for each line, or one with ``source.whole_file``."""
    return Lines(source)


def read_json(source: Source, *, array: bool) -> Table:
    """The objects of JSON lines; with ``array`` a file that starts with ``[`` is a JSON array."""
    file = TextFile(source.path, encoding=source.data.encoding, bad_row=source.bad_row)
    is_array = array and file.first() == b"["
    hint = "a .json file holds a list of objects, or one object on each line" if array else ""
    rows = _elements(file) if is_array else _objects(file, hint=hint)
    first = list(islice(rows, 1 if source.path == STDIN else PEEK))
    columns = tuple(dict.fromkeys(name for row in first for name in row.fields))
    return Table(path=file.name, columns=columns, rows=chain(first, rows), fraction=file.fraction)


def _objects(file: TextFile, *, hint: str) -> Iterator[Row]:
    whole = JsonReader().whole
    with file:
        for number, line in file:
            if not line or line.isspace():
                continue
            try:
                value = whole(line)
                reason = _unfit(value)
            except JsonError as fault:
                value, reason = {}, str(fault)
            if reason:
                file.bad_row(DataError(reason, path=file.name, line=number, hint=hint))
            else:
                yield from (Row(one, number) for one in as_records(value))


def _elements(file: TextFile) -> Iterator[Row]:
    """Objects of a JSON array. Nothing can be read after a syntax error: it is never skipped."""
    reader = JsonReader()
    with file:
        text = file.read()
        seen, line = 0, 1
        start = skip_space(text, text.index("[") + 1)
        more = not text.startswith("]", start)
        while more:
            line += text.count("\n", seen, start)
            seen = start
            try:
                value, end, reason = reader.value(text, start)
            except JsonError as fault:
                at = line + text.count("\n", seen, fault.at)
                raise DataError(str(fault), path=file.name, line=at) from None
            if reason := reason or _unfit(value):
                file.bad_row(DataError(reason, path=file.name, line=line))
            else:
                yield from (Row(one, line) for one in as_records(value))
            end = skip_space(text, end)
            more = text.startswith(",", end)
            start = skip_space(text, end + 1) if more else end
        if not text.startswith("]", start) or skip_space(text, start + 1) < len(text):
            line += text.count("\n", seen, start)
            reason = "not valid JSON: ',' between objects and one ']' at the end are expected"
            raise DataError(reason, path=file.name, line=line)


def _unfit(value: Any) -> str:
    """Why a JSON value cannot be a row; "" when it can."""
    if all(isinstance(one, dict) for one in as_records(value)):
        return ""
    return f"a JSON object {{...}} is expected, not {type(value).__name__}"
