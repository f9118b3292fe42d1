"""Rows out of files with columns; CSV, TSV and workbooks are read here.

In: a Source; the file's suffix says the format. Out: a Table of Rows, each with its fields by name
and the line its record starts on. A row that cannot be used goes to ``source.bad_row``; what makes
the rows after it doubtful (a broken quote over several lines) ends the reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import PurePath
from typing import Any

from bertft.errors import DataError, did_you_mean
from bertft.loaders import Row as Row
from bertft.loaders import Table as Table
from bertft.loaders.ahead import Ahead
from bertft.loaders.arrow import read_parquet
from bertft.loaders.delimited import Either, Quoted, Record, Split
from bertft.loaders.files import STDIN, TextFile, open_text
from bertft.loaders.hub import read_hub
from bertft.loaders.source import Source, refuse
from bertft.loaders.suffixes import FORMATS
from bertft.loaders.table_shape import find_delimiter, is_headless
from bertft.loaders.text import read_json
from bertft.loaders.workbooks import open_sheet
from bertft.recipe import HUB

PEEK = 100
"""Rows that are read ahead, for the columns of JSON and to find out what ids tell apart."""


def format_of(path: str) -> str:
    """csv, tsv, jsonl, json, parquet, workbook or hub, from the suffix. DataError for any other."""
    if path.startswith(HUB):
        return "hub"
    if path == STDIN:
        hint = "save it to a file with the suffix .csv, .tsv or .jsonl"
        raise DataError(
            "no file name that tells the format of its columns", path="stdin", hint=hint
        )
    name = path.lower()
    suffix = PurePath(name.removesuffix(".gz")).suffix
    kind = FORMATS.get(suffix, "")
    if kind and not (kind in ("parquet", "workbook") and name.endswith(".gz")):
        return kind
    hint = "supported: " + ", ".join(FORMATS) + "; the text formats also with .gz"
    raise DataError("not a table in a supported format", path=path, hint=hint)


def open_table(source: Source, *, format: str | None = None) -> Table:
    """The rows of a source; ``format`` overrides the file's suffix and stdin needs it."""
    ahead = Ahead[Row](source.bad_row)
    table = _open(replace(source, bad_row=ahead.bad_row), format or format_of(source.path))
    first = ahead.look(iter(table), most=1 if source.path == STDIN else PEEK)
    return Table(
        path=table.path,
        columns=table.columns or tuple(dict.fromkeys(name for row in first for name in row.fields)),
        rows=iter(ahead),
        fraction=table.fraction,
        revision=table.revision,
        first=first,
    )


def _open(source: Source, kind: str) -> Table:
    if kind in ("csv", "tsv"):
        return _read_delimited(source, kind=kind)
    if kind in ("json", "jsonl"):
        return read_json(source, array=kind == "json")
    if kind == "parquet":
        return read_parquet(source)
    if kind == "workbook":
        return _read_workbook(source)
    if kind == "hub":
        return read_hub(source)
    hint = did_you_mean(kind, dict.fromkeys(FORMATS.values()))
    raise DataError(f"unknown format '{kind}'", path=source.path, hint=hint)


def _read_delimited(source: Source, *, kind: str) -> Table:
    settings = source.data
    file = open_text(source, bad_row=refuse)
    blocks = file.blocks()
    start = next(blocks, "")
    blocks = chain((start,), blocks) if start else blocks
    delimiter = _delimiter(source, start, kind=kind)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        hint = 'use one character, as in --set data.delimiter=";"'
        raise DataError(f"{delimiter!r} cannot be a delimiter", path=file.name, hint=hint)
    lines: Quoted | Split | Either
    is_csv = kind == "csv" or (not settings.delimiter and delimiter != "\t")
    if settings.quoting == "standard" or (settings.quoting == "auto" and is_csv):
        lines = Quoted(file, blocks, delimiter=delimiter)
    elif settings.quoting == "auto" and delimiter == "\t":
        lines = Either(file, blocks, source)
    else:
        lines = Split(file, blocks, delimiter)
    records = iter(lines)
    columns, records = _named(
        records,
        header=_has_header(source, start, delimiter=delimiter),
        source=source,
        delimiter=delimiter,
        name=file.name,
    )
    file.bad_row = source.bad_row  # only now: a header that cannot be used is never skipped
    if len(columns) == 1:  # else no row is blank
        source.meter.blank = lambda: lines.blank
    rows = _rows(records, columns=columns, file=file, delimiter=delimiter)
    return Table(path=file.name, columns=columns, rows=rows, fraction=file.fraction)


def _read_workbook(source: Source) -> Table:
    sheet = open_sheet(source)
    columns, records = _named(
        iter(sheet),
        header=source.data.header is not False,
        source=source,
        delimiter="",
        name=source.path,
    )
    source.meter.blank = lambda: sheet.blank
    rows = (Row(dict(zip(columns, cells, strict=False)), line) for line, cells in records)
    return Table(path=source.path, columns=columns, rows=rows, fraction=sheet.fraction)


def _delimiter(source: Source, start: str, *, kind: str) -> str:
    """The delimiter that is set, or that of the format, or another one that is plain, and said."""
    usual = "," if kind == "csv" else "\t"
    if given := source.data.delimiter:
        return {"\\t": "\t", "tab": "\t"}.get(given, given)
    found = find_delimiter(start, usual=usual)
    if found != usual:
        name = "tab" if found == "\t" else f"'{found}'"
        note = f"cells are divided by {name} (--set data.delimiter=... says another)"
        source.meter.notes.append(note)
    return found


def _has_header(source: Source, start: str, *, delimiter: str) -> bool:
    """Whether the first line holds the names of columns; it is said where it plainly does not."""
    settings = source.data
    if settings.header != "auto":
        return settings.header
    if settings.columns or not is_headless(start, delimiter=delimiter):
        return True
    note = "the first line is data, not names: columns are called column1, column2, ..."
    source.meter.notes.append(f"{note} (--set data.header=true reads it as names)")
    return False


Cells = Iterator[tuple[int, list[Any]]]


def _named(
    records: Cells, *, header: bool, source: Source, delimiter: str, name: str
) -> tuple[tuple[str, ...], Cells]:
    """The columns, numbered where no line names them, and the records that follow."""
    if header or source.data.columns:
        columns = _columns(records, header=header, source=source, delimiter=delimiter, name=name)
        return columns, records
    head = next(records, None)
    count = len(head[1]) if head else 0
    rest = chain((head,) if head else (), records)
    return tuple(f"column{place}" for place in range(1, count + 1)), rest


def _columns(
    records: Cells, *, header: bool, source: Source, delimiter: str, name: str
) -> tuple[str, ...]:
    """Column names from the header, from ``data.columns``, or (both given) renamed."""
    settings = source.data
    given = tuple(settings.columns)
    line = 0
    names = given
    if header:
        line, cells = next(records, (0, []))
        names = tuple("" if cell is None else str(cell).strip() for cell in cells)
        if not names:
            hint = "the first line holds the column names"
            raise DataError("is empty", path=name, hint=hint)
        if delimiter and not settings.delimiter and (hint := _other_delimiter(cells, delimiter)):
            raise DataError("one column only", path=name, line=line, hint=hint)
        if given and len(given) != len(names):
            reason = f"{len(names)} columns, but data.columns names {len(given)}"
            raise DataError(reason, path=name, line=line, hint=f"found: {', '.join(names[:12])}")
        names = given or names
    if "" in names:
        hint = "give each column a name (pandas: to_csv(index=False)), or --set data.columns"
        raise DataError(
            f"column {names.index('') + 1} has no name", path=name, line=line, hint=hint
        )
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        hint = "rename one, or name all with --set data.columns"
        raise DataError(f"two columns are named '{twice}'", path=name, line=line, hint=hint)
    return names


def _other_delimiter(cells: list[str], delimiter: str) -> str:
    """A hint when cells were not split although another delimiter is in them."""
    found = {mark: cells[0].count(mark) for mark in ",;\t|" if mark != delimiter}
    best = max(found, key=lambda mark: found[mark])
    shown = best.replace("\t", "\\t")
    return f'try --set data.delimiter="{shown}"' if len(cells) == 1 and found[best] else ""


def _rows(
    records: Iterator[Record], *, columns: tuple[str, ...], file: TextFile, delimiter: str
) -> Iterator[Row]:
    width = len(columns)
    with file:
        for line, cells in records:
            if len(cells) == width:
                yield Row(dict(zip(columns, cells, strict=False)), line)
                continue
            hint = _other_delimiter(cells, delimiter) if line == 1 else ""  # there is no header
            if not hint and len(cells) > width and delimiter != "\t":
                hint = f"put a text that holds '{delimiter}' in double quotes"
            names = ", ".join(columns[:12]) + ", ..." * (width > 12)
            reason = f"{width} fields expected ({names}), {len(cells)} found"
            file.bad_row(DataError(reason, path=file.name, line=line, hint=hint))
