"""Rows out of plain text, JSON lines and JSON arrays.

In: a Source (a file or stdin). Out: Rows; plain text gives one field, ``text``, for each line that
is not blank, or one for the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row, Table
from bertft.loaders.annotations.spacy import as_records
from bertft.loaders.files import MAX_LINE, TextFile, open_text
from bertft.loaders.json_text import JsonError, JsonReader, skip_space
from bertft.loaders.source import Source


class Lines:
    """Rows of plain text. ``blank`` counts the lines (or the whole text) left out as blank."""

    def __init__(self, source: Source) -> None:
        self._file = open_text(source)
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
    """The objects of JSON lines; with ``array`` a file that starts with ``[`` is a JSON array.

    Which columns there are is not known before rows are read.
    """
    file = open_text(source)
    is_array = array and file.first() == b"["
    hint = "a .json file holds a list of objects, or one object on each line" if array else ""
    rows = _elements(file) if is_array else _objects(file, hint=hint)
    return Table(path=file.name, columns=(), rows=rows, fraction=file.fraction)


def _objects(file: TextFile, *, hint: str) -> Iterator[Row]:
    whole, record = JsonReader().whole, 0
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
                several = as_records(value)
                for one in several:  # spaCy's, of which one line may hold many
                    record += 1
                    yield Row(one, number, record if len(several) > 1 else 0)


def _elements(file: TextFile) -> Iterator[Row]:
    """Objects of a JSON array. Nothing can be read after a syntax error: it is never skipped."""
    reader = JsonReader()
    with file:
        text = file.read()
        start = skip_space(text, text.index("[") + 1)
        line, record, breaks = 1 + text.count("\n", 0, start), 0, 1
        more = not text.startswith("]", start)
        while more:
            record += 1
            try:
                value, end, reason = reader.value(text, start)
            except JsonError as fault:
                at = line + text.count("\n", start, fault.at)
                raise DataError(str(fault), path=file.name, line=at) from None
            end = skip_space(text, end)
            more = text.startswith(",", end)
            after = skip_space(text, end + 1) if more else end
            before, breaks = breaks, text.count("\n", start, after)
            # Where lines do not tell records apart, their numbers do.
            where = "" if breaks and before else f"record {record}"
            if reason := reason or _unfit(value):
                what = f"{where}: {reason}" if where else reason
                file.bad_row(DataError(what, path=file.name, line=line, row=str(record)))
            else:
                for one in as_records(value):
                    yield Row(one, line, record, where)
                    record += 1
                record -= 1
            line += breaks
            start = after
        if not text.startswith("]", start) or skip_space(text, start + 1) < len(text):
            reason = "not valid JSON: ',' between objects and one ']' at the end are expected"
            raise DataError(reason, path=file.name, line=line)


def _unfit(value: Any) -> str:
    """Why a JSON value cannot be a row; "" when it can."""
    if all(isinstance(one, dict) for one in as_records(value)):
        return ""
    return f"a JSON object {{...}} is expected, not {type(value).__name__}"
