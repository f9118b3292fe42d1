"""Workbooks: cells as a person sees them, which sheet is read, what is refused, streaming."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from xlsxwriter import Workbook

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.loaders.workbooks import EXACT
from bertft.settings import DataSettings

DATES = {
    datetime: "yyyy-mm-dd hh:mm:ss",
    date: "yyyy-mm-dd",
    time: "hh:mm:ss",
    timedelta: "[h]:mm:ss",
}
Sheets = dict[str, Sequence[Sequence[Any]]]


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Writes sheets as a workbook; those in ``hidden`` are not shown."""

    def save(sheets: Sheets, *, name: str = "a.xlsx", hidden: Sequence[str] = ()) -> str:
        with Workbook(str(tmp_path / name), {"strings_to_formulas": False}) as book:
            styles = {kind: book.add_format({"num_format": form}) for kind, form in DATES.items()}
            for title, rows in sheets.items():
                sheet = book.add_worksheet(title)
                if title in hidden:
                    sheet.hide()
                else:
                    sheet.activate()
                for line, row in enumerate(rows):
                    for column, cell in enumerate(row):
                        sheet.write(line, column, cell, styles.get(type(cell)))
        return str(tmp_path / name)

    return save


def test_rows_have_the_numbers_of_the_sheet(save, read):
    found = read(save({"one": [["text", " label "], ["a", "b"], [], ["c", None], ["d", "e"]]}))
    assert found.columns == ("text", "label")
    assert found.lines == [2, 4, 5]
    assert found.values == [["a", "b"], ["c", None], ["d", "e"]]


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("영화 좋다", "영화 좋다"),
        (3, 3),
        (3.0, 3),
        (-4.25, -4.25),
        (1e20, 1e20),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2024, 3, 5), "2024-03-05"),
        (datetime(2024, 3, 5, 14, 30), "2024-03-05 14:30"),
        (datetime(2024, 3, 5, 14, 30, 7), "2024-03-05 14:30:07"),
        (timedelta(hours=30, minutes=5), "30:05:00"),
        ("=1+1", "=1+1"),
        ("007", "007"),
    ],
)
def test_cells_are_what_a_person_sees(save, read, cell, seen):
    ((_, found),) = read(save({"one": [["text", "n"], ["a", cell]]})).values
    assert found == seen
    assert isinstance(found, type(seen))


def test_whole_numbers_are_whole_as_far_as_a_sheet_holds_them(save, read):
    found = read(save({"one": [["n", "m"], [EXACT - 1, 1e300]]})).values
    assert [str(cell) for cell in found[0]] == [str(EXACT - 1), "1e+300"]


SHEETS: Sheets = {"Notes": [["text"], ["n"]], "Data": [["text"], ["d"]], "Old": [["text"], ["o"]]}


class TestSheets:
    def notes(self, path: str, **settings: Any) -> tuple[list[Any], list[str]]:
        source = Source(path, data=DataSettings(**settings))
        rows = [row.fields["text"] for row in open_table(source)]
        return rows, source.meter.notes

    def test_the_first_is_read_and_said(self, save):
        rows, notes = self.notes(save(SHEETS))
        assert rows == ["n"]
        assert notes == ["sheet 'Notes' is read; not read: Data, Old (--set data.sheet=NAME)"]

    def test_one_that_is_shown_comes_first(self, save):
        assert self.notes(save(SHEETS, hidden=["Notes"]))[0] == ["d"]

    def test_it_can_be_named(self, save):
        assert self.notes(save(SHEETS), sheet="Old") == (["o"], [])

    def test_an_only_sheet_needs_no_word(self, save):
        assert self.notes(save({"Data": SHEETS["Data"]})) == (["d"], [])

    def test_one_that_is_not_there(self, save):
        with pytest.raises(DataError, match=r"a\.xlsx: no sheet 'Dat'; did you mean 'Data'\?"):
            self.notes(save(SHEETS), sheet="Dat")


class TestRefused:
    @pytest.mark.parametrize("suffix", ["xlsx", "xls", "xlsb", "ods"])
    def test_what_is_no_workbook(self, write, read, suffix):
        with pytest.raises(DataError, match=r"not a workbook that can be read .*as CSV"):
            read(write(f"a.{suffix}", b"text,label\na,b\n"))

    def test_empty_sheets(self, save, read):
        with pytest.raises(DataError, match="is empty"):
            read(save({"one": []}))

    def test_a_header_twice(self, save, read):
        with pytest.raises(DataError, match=r"a\.xlsx:1: "):
            read(save({"one": [["text", "text"], ["a", "b"]]}))

    def test_a_bomb(self, tmp_path, read, monkeypatch):
        monkeypatch.setattr("bertft.loaders.workbooks.MAX_FILE", 1000)
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as parts:
            parts.writestr("xl/worksheets/sheet1.xml", " " * 1001)
        with pytest.raises(DataError, match="unzips to 1,001 bytes"):
            read(str(tmp_path / "a.xlsx"))

    def test_damage(self, save, read, tmp_path):
        whole = Path(save({"one": [["text"], ["a"]]})).read_bytes()
        for share in (0.3, 0.6, 0.9):
            (tmp_path / "b.xlsx").write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(DataError, match=r"b\.xlsx: "):
                read(str(tmp_path / "b.xlsx"))

    def test_a_pipe(self, stdin, read):
        stdin(b"PK")
        with pytest.raises(DataError, match="cannot be read from a pipe"):
            read("-", format="workbook")


def test_rows_come_as_they_are_read(save):
    path = save({"one": [["text"], *([f"t{number}"] for number in range(2000))]})
    source = Source(path, data=DataSettings())
    table = open_table(source)
    rows = iter(table)
    assert next(rows).fields == {"text": "t0"}
    assert table.fraction() < 0.1
    assert sum(1 for _ in rows) == 1999
    assert table.fraction() == 1.0
