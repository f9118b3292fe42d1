"""A table that a person labels: a file of texts in, rows to be asked about, labels out as CSV.

Each label is on disk as soon as it is given, so that whoever goes on finds all of them. The CSV
holds the rows that have a label, with all their columns; rows that had one in the file come first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertft.errors import BertftError, DataError
from bertft.loaders.column_names import LABEL, named
from bertft.loaders.reading import input_settings
from bertft.loaders.rows import read_rows
from bertft.loaders.source import Source, refuse
from bertft.prediction.asked import Asked, AskedRow, rows_of
from bertft.prediction.output import check_writable
from bertft.prediction.tables import as_text, quoted
from bertft.prediction.unanswered import Unanswered
from bertft.selection.to_label import LABEL_COLUMN
from bertft.selection.unread import Unread
from bertft.settings import DataSettings
from bertft.watch import Watch
from bertft.words import counted, rows_left_out

PREDICTED = ("predicted_labels", "predicted_label")
"""Columns of what a model says."""
SEPARATOR = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """What ``bertft label`` is asked for. ``labels`` are those to choose from, as far as they are
    known; ``several``: a text may have more than one, or none."""

    file: str
    labels: tuple[str, ...] = ()
    several: bool = False
    out: str = ""
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be labelled: its texts, its cells, and what a model says of it (none: ())."""

    texts: tuple[str, ...]
    cells: Mapping[str, str]
    predicted: tuple[str, ...] = ()


@dataclass(slots=True)
class Sheet:
    """Rows, in the order of the file, and the labels that some of them have by now."""

    path: Path
    columns: tuple[str, ...]
    label_column: str
    several: bool
    entries: list[Entry]
    labels: list[str]
    given: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Number of an entry -> its labels, in the order in which they were given."""

    def left(self) -> Iterator[int]:
        """Numbers of the entries that have no label yet."""
        return (number for number in range(len(self.entries)) if number not in self.given)

    def give(self, number: int, labels: Sequence[str]) -> None:
        """Label an entry, on disk too."""
        self.given[number] = tuple(labels)
        is_new = not self.path.exists()
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(_line(self._columns) if is_new else "")
            file.write(self._row(number))
            file.flush()
            os.fsync(file.fileno())

    def take_back(self) -> int | None:
        """Take the last label away; the number of its entry, or None where none is left."""
        if not self.given:
            return None
        number, _ = self.given.popitem()
        self.save()
        return number

    def save(self) -> None:
        """Write all that is labelled, whole or not at all."""
        partial = self.path.with_name(self.path.name + ".partial")
        rows = (self._row(number) for number in self.given)
        partial.write_text(_line(self._columns) + "".join(rows), encoding="utf-8", newline="")
        partial.replace(self.path)

    @property
    def _columns(self) -> tuple[str, ...]:
        has = self.label_column in self.columns
        return self.columns if has else (*self.columns, self.label_column)

    def _row(self, number: int) -> str:
        cells = {
            **self.entries[number].cells,
            self.label_column: SEPARATOR.join(self.given[number]),
        }
        return _line([cells.get(name, "") for name in self._columns])


def open_sheet(request: LabelRequest, *, watch: Watch) -> Sheet:
    """The rows of a file, with the labels that they have there, and in what was begun before.

    Raises:
        DataError: the file, or what was begun, cannot be read.
        BertftError: there are no labels to choose from.
    """
    rows = list(_rows(request, watch=watch))
    if not rows:
        raise DataError("no text to label", path=request.file)
    columns = rows[0].given.columns if rows[0].given else ("id", "text")
    column = next(iter(named(columns, LABEL)), LABEL_COLUMN)
    entries = [_entry(row) for row in rows]
    several = request.several or PREDICTED[0] in columns
    out = Path(request.out) if request.out else Path(request.file).with_suffix(".labelled.csv")
    _check_out(out, request.file)
    sheet = Sheet(out, columns, column, several, entries, list(request.labels))
    for number, entry in enumerate(entries):
        if value := entry.cells.get(column):
            sheet.given[number] = _names(value, several=several)
    if in_file := len(sheet.given):
        watch.note(f"{request.file}: {counted(in_file, 'row')} with a label already")
    if out.exists():
        _go_on(sheet, watch=watch)
    elif sheet.given:
        sheet.save()
    _learn_labels(sheet, watch=watch, asked=bool(request.labels))
    return sheet


def _rows(request: LabelRequest, *, watch: Watch) -> Iterator[AskedRow]:
    """The rows that have a text; the others are counted and said."""
    settings = input_settings(request.overrides)
    asked = Asked(arguments=(request.file,), data=settings.data, bad_row=refuse)
    lost, first = 0, ""
    for rows in rows_of(Unread(settings).task, asked, watch=watch):
        for row in rows:
            if isinstance(row.example, Unanswered):
                lost += 1
                first = first or f"{row.example.id}: {row.example.error}"
            else:
                yield row
    if lost:
        watch.note(f"{request.file}: {rows_left_out(lost, first=first)}")


def _entry(row: AskedRow) -> Entry:
    example: Any = row.example
    fields = row.given.fields if row.given else {"id": example.id, "text": example.text}
    cells = {name: as_text(value) for name, value in fields.items()}
    name = next((one for one in PREDICTED if cells.get(one)), "")
    predicted = _names(cells[name], several=name == PREDICTED[0]) if name else ()
    return Entry(example.texts, cells, predicted)


def _names(cell: str, *, several: bool) -> tuple[str, ...]:
    return tuple(filter(None, cell.split(SEPARATOR))) if several else (cell,)


def _check_out(out: Path, file: str) -> None:
    """Raise DataError where labels cannot be written, before any is asked for."""
    if out.exists() and Path(file).exists() and out.samefile(file):
        hint = "choose another --out: it gets the rows that have a label"
        raise DataError("is the file to label", path=str(out), hint=hint)
    check_writable(str(out), overwrite=True)


def _go_on(sheet: Sheet, *, watch: Watch) -> None:
    """Take over what was labelled before. Raises DataError for a file of something else."""
    numbers: dict[tuple[str, ...], list[int]] = {}
    own = [name for name in sheet.columns if name != sheet.label_column]
    for number, entry in enumerate(sheet.entries):
        numbers.setdefault(tuple(entry.cells.get(name, "") for name in own), []).append(number)
    in_file, sheet.given = sheet.given, {}
    emptied = 0
    table = read_rows(Source(str(sheet.path), data=DataSettings()))
    for row in table:
        cells = {name: as_text(value) for name, value in row.fields.items()}
        same = numbers.get(tuple(cells.get(name, "") for name in own))
        if not same or sheet.label_column not in cells:
            hint = "choose another --out, or take that file away"
            what = "a row that is none of those to label"
            raise DataError(what, path=str(sheet.path), line=row.line, hint=hint)
        number = same.pop(0)
        if not cells[sheet.label_column] and not sheet.several:
            emptied += 1  # taken away by hand: it is asked for again
            continue
        sheet.given[number] = _names(cells[sheet.label_column], several=sheet.several)
    watch.note(f"{sheet.path}: goes on after {counted(len(sheet.given), 'label')}")
    if emptied:
        watch.note(f"{sheet.path}: {counted(emptied, 'row')} without a label: asked for again")
        sheet.save()
    if new := in_file.keys() - sheet.given.keys():
        sheet.given |= {number: in_file[number] for number in sorted(new)}
        sheet.save()


def _learn_labels(sheet: Sheet, *, watch: Watch, asked: bool) -> None:
    """Add the labels that the rows name to those that are asked for. Raises BertftError."""
    found = Counter(name for names in sheet.given.values() for name in names)
    if not asked:
        found.update(name for entry in sheet.entries for name in entry.predicted)
    new = sorted(set(found) - set(sheet.labels))
    sheet.labels += new
    if new and asked:
        watch.note(f"labels of the rows beside those asked for: {', '.join(new)}")
    if len(sheet.labels) < 2 and not (sheet.several and sheet.labels):
        hint = '--labels "refund,delivery,praise", or --run RUN for those of a model'
        alone = f"one label, '{sheet.labels[0]}', is no choice" if sheet.labels else ""
        raise BertftError(alone or "no labels to choose from", hint=hint)
    if sheet.several and (odd := [one for one in sheet.labels if SEPARATOR in one]):
        raise BertftError(f"label '{odd[0]}' holds {SEPARATOR}, which parts several labels")


def _line(cells: Sequence[str]) -> str:
    return ",".join(quoted(cell, delimiter=",") for cell in cells) + "\n"
