"""predict on quoted texts and on tables of a person, through the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from samples import BAD, FAST, GOOD, set_flags
from xlsxwriter import Workbook

FLAGS = ["--run", "run", "--device", "cpu", "--precision", "fp32"]


def workbook(path: Path, rows: list[list[Any]], *, others: tuple[str, ...] = ()) -> str:
    with Workbook(str(path)) as book:
        sheet = book.add_worksheet("Data")
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, row)
        for name in others:
            book.add_worksheet(name).write_row(0, 0, ["text"])
    return path.name


def cells(path: Path) -> list[list[Any]]:
    return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()


class TestTexts:
    def test_a_text_in_quotes(self, command, run):
        code, out, err = command("predict", "a good film", *FLAGS)
        (one,) = map(json.loads, out.splitlines())
        assert (code, one["id"], one["text"]) == (0, "1", "a good film")
        assert err.splitlines()[-1] == "· 1 text predicted"

    def test_texts_and_files_in_their_order(self, command, run, tmp_path):
        (tmp_path / "in.txt").write_text("awful\n", encoding="utf-8")
        _, out, _ = command("predict", "a film", "in.txt", "b film", *FLAGS)
        found = [json.loads(line) for line in out.splitlines()]
        assert [(one.get("file"), one["id"], one["text"]) for one in found] == [
            (None, "1", "a film"), ("in.txt", "1", "awful"), (None, "3", "b film"),
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["nosuch.txt", "nosuch.xlsx", "nosuch.csv.gz", "nosuch.pdf"])
    def test_what_looks_like_a_file_is_one(self, command, run, name):
        code, out, err = command("predict", name, *FLAGS)
        assert (code, out) == (2, "")
        assert f"error: {name}: no such file" in err

    def test_an_empty_text_is_an_error_in_a_line(self, command, run):
        code, _, err = command("predict", "", *FLAGS)
        assert (code, err.splitlines()[-1]) == (2, "error: the text (column 'text') is empty")

    def test_nothing_to_predict(self, command, run):
        code, _, err = command("predict", *FLAGS)
        assert code == 2
        assert (
            err == 'error: no text and no file; give "a text in quotes", a file, or - for stdin\n'
        )


class TestTables:
    ROWS = (
        "id,date,text,label,stars\n007,2024-03-05,a good film,gold,5\n"
        '008,,"never, ""dull""",,1\n009,x,,gold,\n'
    )

    def test_a_table_comes_back_whole(self, command, run, tmp_path):
        (tmp_path / "in.csv").write_text(self.ROWS, encoding="utf-8")
        code, out, _ = command("predict", "in.csv", "--format", "csv", *FLAGS)
        was = list(csv.reader(io.StringIO(self.ROWS)))
        now = list(csv.reader(io.StringIO(out)))
        assert code == 0
        assert [row[:5] for row in now] == was
        assert now[0][5:] == ["predicted_label", "probability", "truncated", "error"]
        assert [bool(row[5]) for row in now[1:]] == [True, True, False]
        assert len(now[1][6]) == 6
        assert now[3][8] == "the text (column 'text') is empty"

    def test_many_rows_keep_their_answers(self, command, run, tmp_path):
        """Also over the windows in which the model reads them."""
        rows = [f"{number},{(GOOD + BAD)[number % 12]}" for number in range(3000)]
        (tmp_path / "in.csv").write_text("\n".join(["n,text", *rows]), encoding="utf-8")
        _, out, _ = command("predict", "in.csv", "--format", "csv", *FLAGS)
        found = list(csv.DictReader(io.StringIO(out)))
        assert [f"{row['n']},{row['text']}" for row in found] == rows
        assert len({(row["text"], row["predicted_label"]) for row in found}) == 12

    def test_a_column_of_that_name_stays(self, command, run, tmp_path):
        (tmp_path / "in.csv").write_text("text,probability\na film,mine\n", encoding="utf-8")
        _, out, err = command("predict", "in.csv", "--format", "csv", *FLAGS)
        (row,) = csv.DictReader(io.StringIO(out))
        assert row["probability"] == "mine"
        assert 0 < float(row["probability_2"]) < 1
        assert "there is a column 'probability' already: what is added is in 'probability_2'" in err

    def test_several_tables_in_one(self, command, run, tmp_path):
        (tmp_path / "a.csv").write_text("text,a\nx film,1\n", encoding="utf-8")
        (tmp_path / "b.csv").write_text("b,text\n2,y film\n", encoding="utf-8")
        _, out, _ = command("predict", "a.csv", "b.csv", "--format", "csv", *FLAGS)
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [(row["text"], row["a"], row["b"], row["file"]) for row in rows] == [
            ("x film", "1", "", "a.csv"), ("y film", "", "2", "b.csv"),
        ]  # fmt: skip


class TestWorkbooks:
    def test_in_and_out(self, command, run, tmp_path):
        rows = [["id", "text", "n"], [7, "a good film", 1.5], [8, "", 2], [9, "=awful", 3]]
        with Workbook(str(tmp_path / "in.xlsx"), {"strings_to_formulas": False}) as book:
            sheet = book.add_worksheet("Data")
            for line, row in enumerate(rows):
                sheet.write_row(line, 0, row)
            book.add_worksheet("Old")
        code, out, err = command("predict", "in.xlsx", "--out", "out.xlsx", *FLAGS)
        assert (code, out) == (0, "")
        assert "sheet 'Data' is read; not read: Old (--set data.sheet=NAME)" in err
        found = cells(tmp_path / "out.xlsx")
        assert [row[:3] for row in found] == rows
        assert found[0][3:] == ["predicted_label", "probability", "truncated", "error"]
        assert found[1][3] in ("good", "bad")
        assert found[2][3:] == ["", "", "", "the text (column 'text') is empty"]
        assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.xlsx"]

    def test_a_sheet_by_its_name(self, command, run, tmp_path):
        name = workbook(tmp_path / "in.xlsx", [["text"], ["a film"]], others=("Old",))
        code, _, err = command("predict", name, "--set", "data.sheet=Nex", *FLAGS)
        assert (code, "no sheet 'Nex'" in err) == (2, True)
        _, out, _ = command("predict", name, "--set", "data.sheet=Data", *FLAGS)
        assert json.loads(out)["text"] == "a film"

    def test_a_workbook_needs_a_file(self, command, run, tmp_path):
        code, _, err = command("predict", "a film", "--format", "xlsx", *FLAGS)
        assert (code, err) == (2, "error: xlsx needs a file; add --out answers.xlsx\n")

    def test_one_that_exists_stays(self, command, run, tmp_path):
        (tmp_path / "out.xlsx").write_text("mine", encoding="utf-8")
        assert command("predict", "a film", "--out", "out.xlsx", *FLAGS)[0] == 2
        assert (tmp_path / "out.xlsx").read_text(encoding="utf-8") == "mine"
        assert command("predict", "a film", "--out", "out.xlsx", "--overwrite", *FLAGS)[0] == 0
        assert cells(tmp_path / "out.xlsx")[1][:2] == ["1", "a film"]

    def test_it_is_trained_on_and_scored(self, command, tiny, tmp_path):
        """The analyst: a workbook with two columns, and one with the answers."""
        rows = [[text, "good"] for text in GOOD] + [[text, "bad"] for text in BAD]
        name = workbook(tmp_path / "x.xlsx", [["text", "label"], *rows * 2])
        files = ["--train", name, "--dev", name, "--model", str(tiny), "--out", "runs/demo"]
        code, _, err = command("train", "sentiment", *files, *set_flags(*FAST))
        assert code == 0, err
        assert command("eval", "demo", "--data", name)[0] == 0
        code, _, err = command("predict", name, "--out", "answers.xlsx", "--run", "demo")
        assert code == 0, err
        found = cells(tmp_path / "answers.xlsx")
        assert [row[:2] for row in found[1:]] == rows * 2
        assert {row[2] for row in found[1:]} <= {"good", "bad"}
