"""Records of a sheet of a workbook: Excel (.xlsx, .xls, .xlsb) and OpenDocument (.ods).

In: a Source. Out: a Sheet, whose records are rows with their numbers. A cell is what a person sees
in it: text, a number (3, not 3.0), a date as 2024-03-05, TRUE; of a formula its result. Read by
python-calamine: 1 MB without dependencies, imported in a millisecond, 100,000 rows in 0.6 s and
43 MB (openpyxl, which reads .xlsx only: 3.5 s).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertft.errors import DataError, did_you_mean, first_line
from bertft.loaders.files import MAX_FILE, STDIN, resolve
from bertft.loaders.source import Source

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

EXACT = 2**53
"""Whole numbers up to this one are whole in a spreadsheet, which holds floats."""


class Seen(str):
    """The text of a date, a time or a truth value, which is ``value`` in a workbook."""

    __slots__ = ("value",)
    value: bool | date | time

    @classmethod
    def of(cls, value: bool | date | time) -> Seen:
        seen = cls(_text(value))
        seen.value = value
        return seen


class Sheet:
    """The rows of a sheet, each with its number; ``blank`` counts those between that are empty."""

    def __init__(self, sheet: CalamineSheet) -> None:
        self._sheet = sheet
        self._done = 0
        self.blank = 0

    def __iter__(self) -> Iterator[tuple[int, list[Any]]]:
        begun = False
        for number, cells in enumerate(self._sheet.iter_rows(), start=1):
            self._done = number
            if any(cell != "" for cell in cells):
                begun = True
                yield number, [_seen(cell) for cell in cells]
            elif begun:
                self.blank += 1

    def fraction(self) -> float:
        """Share of the rows read so far."""
        last = self._sheet.end
        return self._done / (last[0] + 1) if last else 1.0


def open_sheet(source: Source) -> Sheet:
    """The sheet that ``data.sheet`` names, else the first; where there are others, it is said.

    Raises:
        DataError: the file is no workbook that can be read, or has no such sheet.
    """
    from python_calamine import CalamineError

    path = source.path
    if path == STDIN:
        hint = "save it to a file"
        raise DataError("a workbook cannot be read from a pipe", path="stdin", hint=hint)
    file = resolve(path)
    check_size(file, path=path)
    try:
        book = _open(file, path=path)
        names = _sheets(book)
        name = _chosen(names, source)
        return Sheet(book.get_sheet_by_name(name))
    except CalamineError as error:
        raise DataError(f"damaged ({first_line(error)})", path=path) from None


def _open(file: Path, *, path: str) -> CalamineWorkbook:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_path(str(file))
    except PasswordError:
        raise DataError("has a password", path=path, hint="save it without one") from None
    except (CalamineError, OSError) as error:
        what = f"not a workbook that can be read ({first_line(error)})"
        raise DataError(what, path=path, hint="save it anew as .xlsx, or as CSV (UTF-8)") from None


def check_size(file: Path, *, path: str, hint: str = "split it, or save it as CSV") -> None:
    """Raise DataError for what unzips to more than any text."""
    try:
        with zipfile.ZipFile(file) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return  # .xls is no zip file; the reader says of others what they are
    if size > MAX_FILE:
        raise DataError(f"unzips to {size:,} bytes", path=path, hint=hint)


def _sheets(book: CalamineWorkbook) -> list[str]:
    """Sheets that hold rows, those that are shown first."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [one for one in book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
    sheets.sort(key=lambda one: one.visible != SheetVisibleEnum.Visible)
    return [one.name for one in sheets]


def _chosen(names: list[str], source: Source) -> str:
    wanted = source.data.sheet
    if wanted and wanted not in names:
        hint = did_you_mean(wanted, names)
        raise DataError(f"no sheet '{wanted}'", path=source.path, hint=hint)
    if not names:
        raise DataError("has no sheet with rows", path=source.path)
    name = wanted or names[0]
    if not wanted and len(names) > 1:
        others = ", ".join(names[1:6]) + ", ..." * (len(names) > 6)
        source.meter.notes.append(
            f"sheet '{name}' is read; not read: {others} (--set data.sheet=NAME)"
        )
    return name


def _seen(cell: Any) -> Any:
    """A cell as it is seen; None where it is empty."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= EXACT:
        return int(cell)
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(cell, bool | date | time):
        return Seen.of(cell)
    return None if cell == "" else cell


def _text(value: bool | date | time) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if not isinstance(value, datetime | time):
        return value.isoformat()
    spec = "auto" if value.second or value.microsecond else "minutes"
    return value.isoformat(timespec=spec).replace("T", " ")
