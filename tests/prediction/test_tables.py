"""The user's table comes back whole: what is added to it, for each task, in text and workbooks."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from prediction.test_formats import ANSWERS, NER, NOTHING, SEVERAL, SINGLE
from python_calamine import CalamineWorkbook
from xlsxwriter import Workbook

from bertft.contracts import Answer
from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.loaders.workbooks import Seen
from bertft.prediction import workbooks
from bertft.prediction.predicted import Given
from bertft.prediction.tables import TEXT_TABLES
from bertft.prediction.workbooks import workbook
from bertft.settings import DataSettings

ADDED = {
    "single": ["predicted_label", "probability", "truncated"],
    "several": ["predicted_labels", "truncated"],
    "nli": ["predicted_label", "probability", "truncated"],
    "number": ["predicted_score", "truncated"],
    "qa": ["predicted_answer", "start", "end", "probability", "truncated"],
    "ner": ["entities", "predicted_tags"],
}
ASKED = {
    "single": ["id", "text"],
    "several": ["id", "text"],
    "nli": ["id", "premise", "hypothesis"],
    "number": ["id", "text", "text_pair"],
    "qa": ["id", "question"],
    "ner": ["id", "text"],
}
FAILED: Answer = {"id": "7", "error": "the text is empty"}
Pairs = list[tuple[Answer, Given | None]]


def as_csv(pairs: Pairs, form: str = "csv") -> tuple[list[list[str]], list[str]]:
    """All rows, the header first; and what was told."""
    file, told = io.StringIO(newline=""), list[str]()
    with TEXT_TABLES[form](file, told.append) as write:
        for answer, row in pairs:
            write(answer, row)
    text = io.StringIO(file.getvalue(), newline="")
    return list(csv.reader(text, delimiter="," if form == "csv" else "\t")), told


def given(**fields: Any) -> Given:
    return Given(tuple(fields), fields)


@pytest.mark.parametrize("form", TEXT_TABLES)
@pytest.mark.parametrize("task", ANSWERS)
def test_texts_without_a_table_stand_beside_their_answers(task: str, form: str) -> None:
    (header, first, second), told = as_csv([(ANSWERS[task], None)] * 2, form)
    assert header == [*ASKED[task], *ADDED[task], "error"]
    assert first == second
    assert first[: len(ASKED[task])] == [ANSWERS[task][name] for name in ASKED[task]]
    assert told == []


@pytest.mark.parametrize("task", ANSWERS)
def test_columns_of_the_user_stay_and_come_first(task: str) -> None:
    own = {"date": "2024-03-05", "id": "007", "label": "gold", "score": "5", "text": " a "}
    (header, cells), told = as_csv([(ANSWERS[task], given(**own))])
    assert header == [*own, *ADDED[task], "error"]
    assert cells[: len(own)] == list(own.values())
    assert told == []


def test_what_is_added() -> None:
    row = given(n="1")
    assert as_csv([(SINGLE, row)])[0][1] == ["1", "good", "0.9877", "false", ""]
    assert as_csv([(SEVERAL, row)])[0][1] == ["1", "a|b", "true", ""]
    assert as_csv([(SEVERAL | {"labels": []}, row)])[0][1] == ["1", "", "true", ""]
    assert as_csv([(SEVERAL | {"labels": ["a|b"]}, row)])[0][1] == ["1", '["a|b"]', "true", ""]
    assert as_csv([(ANSWERS["number"], row)])[0][1] == ["1", "3.1416", "false", ""]
    assert as_csv([(ANSWERS["qa"], row)])[0][1] == [
        "1",
        "San\nJose",
        "3",
        "11",
        "0.7500",
        "false",
        "",
    ]
    assert as_csv([(NOTHING, row)])[0][1] == ["1", "", "", "", "0.7500", "false", ""]


def test_entities_are_json_and_tags_of_the_words() -> None:
    ((_, cells), _) = as_csv([(NER, given(n="1"))])
    assert json.loads(cells[1]) == NER["entities"]
    tags = "B-PER O O B-LOC I-LOC O B-LOC"
    assert (NER["text"].split()[0], cells[2]) == ("Kim,", tags)
    assert len(tags.split()) == len(NER["text"].split())
    assert as_csv([(NER | {"entities": []}, given(n="1"))])[0][1][1] == "[]"


def test_a_name_that_is_taken_is_left_to_its_owner() -> None:
    own = {"probability": "x", "predicted_label": "mine", "predicted_label_2": "too", "error": "e"}
    (header, cells), told = as_csv([(SINGLE, given(**own))])
    assert header == [*own, "predicted_label_3", "probability_2", "truncated", "error_2"]
    assert cells == [*own.values(), "good", "0.9877", "false", ""]
    assert told == [
        "there is a column 'predicted_label' already: what is added is in 'predicted_label_3'",
        "there is a column 'probability' already: what is added is in 'probability_2'",
        "there is a column 'error' already: what is added is in 'error_2'",
    ]


class TestRowsWithoutAnAnswer:
    def test_they_keep_their_cells_and_their_place(self):
        rows, _ = as_csv([(FAILED, given(id="7", text="")), (SINGLE, given(id="1", text="a")),
                          (FAILED, given(id="7", text=" "))])  # fmt: skip
        assert rows[0] == ["id", "text", *ADDED["single"], "error"]
        assert rows[1] == ["7", "", "", "", "", "the text is empty"]
        assert rows[2][:3] == ["1", "a", "good"]
        assert rows[3] == ["7", " ", "", "", "", "the text is empty"]

    def test_a_row_that_could_not_be_read_is_called_by_its_number(self):
        rows, _ = as_csv([(SINGLE, given(a="x")), ({"id": "row 3", "error": "2 fields"}, None)])
        assert rows[2] == ["", "", "", "", "row 3: 2 fields"]

    def test_where_there_are_no_others(self):
        rows, _ = as_csv([(FAILED, given(id="7", n="1"))] * 2)
        assert rows == [["id", "n", "error"], *[["7", "1", "the text is empty"]] * 2]


def test_several_tables_go_into_one() -> None:
    columns = ("a", "b")
    one = SINGLE | {"file": "one.csv"}
    rows, told = as_csv([(one, Given(columns, {"a": "1"})), (one, Given(columns, {"b": "2"}))])
    assert rows[0] == ["a", "b", "file", *ADDED["single"], "error"]
    assert [row[:3] for row in rows[1:]] == [["1", "", "one.csv"], ["", "2", "one.csv"]]
    assert told == []


def test_values_that_have_no_column_are_told() -> None:
    rows, told = as_csv([(SINGLE, given(a="1")), (SINGLE, Given(("a",), {"a": "2", "z": "late"}))])
    assert [row[0] for row in rows] == ["a", "1", "2"]
    assert told == ["1 rows have a value in 'z', which is no column of the table"]


class TestWorkbooks:
    def write(self, path: Path, pairs: Pairs) -> tuple[list[list[Any]], list[str]]:
        told = list[str]()
        with workbook(path, told.append) as put:
            for answer, row in pairs:
                put(answer, row)
        return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(), told

    def test_cells_keep_their_kind(self, tmp_path):
        own = {"n": 3, "text": "007", "day": Seen.of(date(2024, 3, 5)), "yes": Seen.of(True),
               "at": Seen.of(datetime(2024, 3, 5, 14, 30)), "none": None,
               "old": Seen.of(date(1899, 1, 2)), "long": "1234567890123456789",
               "list": ["a"]}  # fmt: skip
        (header, cells), told = self.write(tmp_path / "a.xlsx", [(SINGLE, given(**own))])
        assert header == [*own, *ADDED["single"], "error"]
        assert cells == [
            3, "007", date(2024, 3, 5), True, datetime(2024, 3, 5, 14, 30), "", "1899-01-02",
            "1234567890123456789", '["a"]', "good", 0.9877, False, "",
        ]  # fmt: skip
        assert told == []

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "http://a.b", "1e5"])
    def test_text_stays_text(self, tmp_path, text):
        answer = SINGLE | {"label": text}
        (_, cells), _ = self.write(tmp_path / "a.xlsx", [(answer, given(a=text))])
        assert (cells[0], cells[1]) == (text, text)
        parts = (tmp_path / "a.xlsx").read_bytes()
        assert b"hyperlink" not in parts
        source = Source(str(tmp_path / "a.xlsx"), data=DataSettings())
        assert [row.fields["a"] for row in open_table(source)] == [text]

    def test_no_formula_is_in_the_sheet(self, tmp_path):
        import zipfile

        self.write(
            tmp_path / "a.xlsx", [(SINGLE | {"label": "=2"}, given(**{"=1": "=cmd|'/c'!A1"}))]
        )
        with zipfile.ZipFile(tmp_path / "a.xlsx") as parts:
            assert "<f>" not in parts.read("xl/worksheets/sheet1.xml").decode()

    def test_a_text_that_is_too_long_is_cut_and_told(self, tmp_path):
        long = "가😀" * 20_000
        (_, cells), told = self.write(tmp_path / "a.xlsx", [(SINGLE, given(a=long))])
        assert long.startswith(cells[0])
        assert 32_700 < len(cells[0].encode("utf-16-le")) // 2 <= 32_767
        assert told == ["1 cells are cut to 32,767 characters, the most of a workbook"]

    def test_more_rows_than_a_sheet_has(self, tmp_path, monkeypatch):
        monkeypatch.setattr(workbooks, "MOST_ROWS", 3)
        with pytest.raises(DataError, match=r"room for 3 rows .*write it as \.csv"):
            self.write(tmp_path / "a.xlsx", [(SINGLE, given(a="x"))] * 3)


def test_a_workbook_comes_back_as_it_was(tmp_path: Path) -> None:
    """Read by the loader, written with its answers."""
    with Workbook(str(tmp_path / "in.xlsx")) as book:
        sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["고객의견", "별점", "날짜"])
        for row in (1, 2):
            sheet.write(row, 0, "좋다")
            sheet.write(row, 1, 4.5)
            sheet.write_datetime(row, 2, datetime(2024, 3, row), day)
    table = open_table(Source(str(tmp_path / "in.xlsx"), data=DataSettings()))
    with workbook(tmp_path / "out.xlsx", print) as put:
        for row in table:
            put(SINGLE, Given(table.columns, row.fields))
    read = [
        CalamineWorkbook.from_path(str(tmp_path / name)).get_sheet_by_index(0).to_python()
        for name in ("in.xlsx", "out.xlsx")
    ]
    assert [row[:3] for row in read[1]] == read[0]
