"""Every row has an answer or an error in its place, whatever the task and the format."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.prediction.formats import FORMATS
from bertft.prediction.unanswered import Unanswered, example_of, with_unanswered
from bertft.reports.entities_page import entities_page
from bertft.settings import DataSettings
from bertft.tasks import make_task

FLAGS = ["--run", "run", "--device", "cpu", "--precision", "fp32"]
TASKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "single": ({"name": "classification"}, {"text": "a"}),
    "pairs": ({"name": "classification", "pairs": True}, {"text": "a", "text_pair": "b"}),
    "nli": ({"name": "nli"}, {"premise": "a", "hypothesis": "b"}),
    "numbers": ({"name": "classification", "regression": True}, {"text": "a"}),
    "spans": ({"name": "ner"}, {"text": "a"}),
    "words": ({"name": "ner"}, {"tokens": ["a"]}),
    "qa": ({"name": "qa"}, {"question": "w?", "context": "a"}),
}
CELLS = [(task, column) for task, (_, row) in TASKS.items() for column in row]


def read(path: Path, task: str) -> list[tuple[str, bool]]:
    """(id, whether it can be answered) of each row."""
    source = Source(str(path), data=DataSettings(), gold=False)
    found = with_unanswered(make_task(TASKS[task][0]), source)
    return [(one.id, not isinstance(one, Unanswered)) for one in found]


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "csv"])
@pytest.mark.parametrize(("task", "column"), CELLS)
def test_a_cell_without_text_is_named_in_its_place(task, column, form, tmp_path):
    row = TASKS[task][1]
    empty: Any = None if form != "csv" else ""
    rows = [{"id": "x", **row}, {"id": "y", **row, column: empty}, {"id": "z", **row}]
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form == "csv":
        cells = [[c if isinstance(c, str) else json.dumps(c) for c in r.values()] for r in rows]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(rows[0]), *cells])
    else:
        lines = [json.dumps(one) for one in rows]
        path.write_text("\n".join(lines) if form == "jsonl" else f"[{','.join(lines)}]")
    assert read(path, task) == [("x", True), ("y", False), ("z", True)]


@pytest.mark.parametrize("empty", ["", " \t", None, float("nan")])
@pytest.mark.parametrize(("task", "column"), [one for one in CELLS if one[0] != "words"])
def test_python_gives_the_same(task, column, empty):
    made = make_task(TASKS[task][0])
    one = example_of(made, {**TASKS[task][1], column: empty}, id="4")
    assert isinstance(one, Unanswered)
    assert one.answer.keys() == {"id", "error"}
    assert one.id == "4"
    assert not isinstance(example_of(made, TASKS[task][1], id="5"), Unanswered)


@pytest.mark.parametrize("task", ["single", "spans"])
def test_texts_that_are_none(task):
    made = make_task(TASKS[task][0])
    for empty in ("", None, float("nan")):
        assert isinstance(example_of(made, empty, id="1"), Unanswered)
    for wrong in (3, ["a"]):
        with pytest.raises(DataError, match=r"text 1 is (int|list), not a text or a mapping"):
            example_of(made, wrong, id="1")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no "):  # what it does not have is not a row's fault
        example_of(made, {"weight": "a"}, id="1")


def test_all_that_is_wrong_with_rows_is_in_its_place(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = ['{"text": "a"}', "{", '{"text": ["b"]}', "", '{"other": 1}', '{"text": "c"}', "7"]
    path.write_text("\n".join(lines), encoding="utf-8")
    right = {"1", "6"}
    assert read(path, "single") == [(one, one in right) for one in ("1", "2", "3", "5", "6", "7")]
    path = tmp_path / "a.csv"
    path.write_text("id,text\n7,a\n8,b,c\n9,d\n", encoding="utf-8")
    assert read(path, "single") == [("7", True), ("row 3", False), ("9", True)]


def test_faults_behind_what_is_read_ahead_keep_their_order(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = ["{" if i % 7 == 3 else json.dumps({"text": f"t{i}"}) for i in range(300)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read(path, "spans") == [(str(i + 1), i % 7 != 3) for i in range(300)]


class TestCommand:
    @pytest.fixture
    def asked(self, tmp_path: Path) -> str:
        (tmp_path / "in.csv").write_text("id,text\nx,\ny,a good film\nz, \n", encoding="utf-8")
        return "in.csv"

    def test_order_and_count_are_kept(self, command, run, asked):
        code, out, err = command("predict", asked, *FLAGS)
        found = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert [(one["id"], "error" in one) for one in found] == [
            ("x", True), ("y", False), ("z", True),
        ]  # fmt: skip
        assert found[0] == {"id": "x", "error": "the text (column 'text') is empty"}
        assert "2 of 3 rows have no answer, but an error in its place; the first is x: " in err

    def test_tables_have_a_column_for_it(self, command, run, asked):
        _, out, _ = command("predict", asked, "--format", "csv", *FLAGS)
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["id"] for row in rows] == ["x", "y", "z"]
        assert [bool(row["error"]) for row in rows] == [True, False, True]
        assert [bool(row["predicted_label"]) for row in rows] == [False, True, False]

    def test_what_was_asked_for_is_done(self, command, run, asked):
        code, _, err = command("predict", asked, "--on-bad-row", "stop", *FLAGS)
        assert (code, "in.csv:2: the text" in err) == (2, True)
        code, out, err = command("predict", asked, "--on-bad-row", "skip", *FLAGS)
        assert (code, len(out.splitlines()), "2 unusable rows left out" in err) == (0, 1, True)

    def test_where_nothing_is_answered_the_exit_code_says_so(self, command, run, tmp_path):
        (tmp_path / "in.csv").write_text('text,n\n"",1\n', encoding="utf-8")
        code, out, err = command("predict", "in.csv", "--format", "csv", *FLAGS)
        assert (code, out.splitlines()[0]) == (2, "text,n,error")
        assert "in.csv: no row could be answered" in err


FAILED = {"id": "7", "error": "the <text> is\tempty"}
TAGGED = {"id": "8", "text": "Kim", "entities": [
    {"start": 0, "end": 3, "text": "Kim", "label": "PER", "score": 0.9}]}  # fmt: skip


@pytest.mark.parametrize("form", [*FORMATS, "html"])
def test_each_format_has_a_place_for_it(form):
    file = io.StringIO()
    with (FORMATS | {"html": entities_page})[form](file) as write:
        for answer in (FAILED, TAGGED, FAILED):
            write(answer)
    text = file.getvalue()
    assert text.count("empty") == 2
    assert text.index("empty") < text.rindex("Kim") < text.rindex("empty")
    if form in ("jsonl", "doccano", "txt"):
        assert len(text.splitlines()) == 3
