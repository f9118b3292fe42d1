"""A table of answers as a workbook, .xlsx.

In: a path. Out: a function that writes an answer with its row, as tables.py lays it out. Text is
text in it, whatever it begins with: nothing becomes a formula or a link. Dates, numbers and truth
values of a workbook stay such; ids of a CSV file stay text. Rows go to the file as they come.
XlsxWriter: pure Python, 180 kB, 100,000 rows in 4 s (openpyxl: 7 s).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from bertft.errors import DataError
from bertft.loaders.workbooks import EXACT, Seen
from bertft.prediction.tables import DIGITS, TableWriter, Tell, Write, as_text

LONGEST = 32_767
"""Characters of a cell, counted in UTF-16."""
MOST_ROWS, MOST_COLUMNS = 2**20, 2**14
TEXT = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
FORMATS = {datetime: "yyyy-mm-dd hh:mm", date: "yyyy-mm-dd", time: "hh:mm:ss"}
FIRST_DATE = date(1900, 3, 1)
"""Excel takes 1900 for a leap year: days before are others there."""


@contextmanager
def workbook(path: Path, tell: Tell, *, may_fail: bool = True) -> Iterator[Write]:
    """Raises DataError where a workbook has no room for the table."""
    from xlsxwriter import Workbook

    book = Workbook(str(path), {"constant_memory": True, **TEXT})
    sheet = _Sheet(book)
    writer = TableWriter(sheet.put, tell, may_fail=may_fail)
    try:
        yield writer
        writer.close()
    finally:
        book.close()
    if sheet.cut:
        tell(f"{sheet.cut:,} cells are cut to {LONGEST:,} characters, the most of a workbook")


class _Sheet:
    """The sheet of answers; ``cut`` counts cells with too long a text."""

    def __init__(self, book: Any) -> None:
        self._sheet = book.add_worksheet()
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
        self._sheet.freeze_panes(1, 0)
        self._bold = book.add_format({"bold": True})
        self._share = book.add_format({"num_format": "0." + "0" * DIGITS})
        self._styles = {
            kind: book.add_format({"num_format": form}) for kind, form in FORMATS.items()
        }
        self._rows = 0
        self.cut = 0

    def put(self, own: Sequence[Any], added: Sequence[Any]) -> None:
        if self._rows == MOST_ROWS or len(own) + len(added) > MOST_COLUMNS:
            what = f"a workbook has room for {MOST_ROWS:,} rows and {MOST_COLUMNS:,} columns"
            raise DataError(what, hint="write it as .csv")
        header = self._bold if not self._rows else None
        for column, value in enumerate(own):
            self._cell(column, value, header)
        for column, value in enumerate(added, start=len(own)):
            style = self._share if isinstance(value, float) else header
            self._cell(column, round(value, DIGITS) if style is self._share else value, style)
        self._rows += 1

    def _cell(self, column: int, value: Any, style: Any) -> None:
        row, sheet = self._rows, self._sheet
        if isinstance(value, Seen):
            value = value.value
        if isinstance(value, bool):
            sheet.write_boolean(row, column, value, style)
        elif isinstance(value, int | float) and math.isfinite(value) and abs(value) <= EXACT:
            sheet.write_number(row, column, value, style)
        elif isinstance(value, date | time) and _is_writable(value):
            sheet.write_datetime(row, column, value, self._styles[type(value)])
        elif value is not None:
            sheet.write_string(row, column, self._fitting(as_text(value)), style)

    def _fitting(self, text: str) -> str:
        if len(text) <= LONGEST // 2 or len(text.encode("utf-16-le", "replace")) // 2 <= LONGEST:
            return text
        self.cut += 1
        return text.encode("utf-16-le", "replace")[: 2 * LONGEST].decode("utf-16-le", "ignore")


def _is_writable(value: date | time) -> bool:
    day = value.date() if isinstance(value, datetime) else value
    return isinstance(day, time) or day >= FIRST_DATE
