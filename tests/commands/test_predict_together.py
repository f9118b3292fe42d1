"""predict with several --run: one line for each text, with what each run says of it alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import bertft
from bertft.prediction import predictor as predicting

TEXTS = ["a good film", "we love the slow food", "i hate it", "great movie"]


@pytest.fixture
def runs(bases, tmp_path, monkeypatch) -> list[str]:
    """Runs named intent and slots, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name, kind in (("intent", "classification"), ("slots", "ner")):
        Path(name).symlink_to(bases[kind])
    return ["--run", "intent", "--run", "slots"]


@pytest.fixture
def file(tmp_path) -> str:
    rows = [*TEXTS[:2], "", *TEXTS[2:]]
    text = "\n".join(["no,text", *(f"{n},{one}" for n, one in enumerate(rows))])
    (tmp_path / "in.csv").write_text(text + "\n", encoding="utf-8")
    return "in.csv"


def test_each_run_says_what_it_says_alone(command, runs, file, monkeypatch):
    monkeypatch.setattr(predicting, "WINDOW", 2)
    code, out, err = command("predict", file, *runs)
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["id"] for row in rows] == ["2", "3", "4", "5", "6"]  # as in the file
    assert rows[2] == {"id": "4", "error": "the text (column 'text') is empty"}
    for run in ("intent", "slots"):
        alone = bertft.load(run).predict(TEXTS)
        found = [row["runs"][run] for row in rows if "error" not in row]
        for one, expected in zip(found, alone, strict=True):
            assert one == {key: expected[key] for key in expected if key not in ("id", "text")}
    assert [row["text"] for row in rows if "error" not in row] == TEXTS
    assert "1 of 5 rows have no answer" in err


def test_tables_have_the_columns_of_each(command, runs, file):
    code, out, _ = command("predict", file, *runs, "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == [
        "no", "text", "intent_predicted_label", "intent_probability", "intent_truncated",
        "slots_entities", "slots_predicted_tags", "error",
    ]  # fmt: skip
    assert rows[2]["error"] == "the text (column 'text') is empty"
    assert rows[0]["intent_predicted_label"] == "good"
    assert rows[3]["slots_predicted_tags"].count("O") <= 3


def test_a_person_sees_all_of_them(command, runs, monkeypatch, capsys):
    monkeypatch.setattr("bertft.cli.answer._is_terminal", lambda stream: True)
    code, out, _ = command("predict", "great food", *runs)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["great", "food"]
    assert [line[0] for line in lines[1:]] == ["intent", "slots"]


def test_python_answers_one_or_several(runs):
    together = bertft.load_together(["intent", "slots"])
    one = together.predict("a good film")
    assert one["runs"].keys() == {"intent", "slots"}
    assert "<table" in one._repr_html_()
    assert together.predict(["a good film", None])[0] == one
    assert together.predict(["a good film", None])[1]["error"] == "there is no text"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--run", "intent"], "--run intent is given twice"),
        (["--run", "pairs"], "pairs: its task is nli; several runs answer single texts"),
        (["--run", "slots", "--format", "conll"], "format conll shows the answers of one run"),
        (["--run", "slots", "--question", "who"], "--question goes with one --run"),
        (
            ["--run", "slots", "--out", "folder/"],
            "a folder of answers in parts goes with one --run",
        ),
        (["--run", "slots", "--coverage", "0.9"], "--coverage gives sets of labels"),
        (["--run", "nowhere"], "no run directory nowhere"),
    ],
)
def test_what_goes_with_one_run_alone_is_refused(command, runs, file, bases, arguments, told):
    Path("pairs").symlink_to(bases["nli"])
    code, out, err = command("predict", file, "--run", "intent", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_a_threshold_holds_for_all(command, runs):
    code, out, err = command("predict", "a good film", *runs, "--min-confidence", "0.9999999")
    assert code == 0
    found = json.loads(out)["runs"]
    assert found["intent"]["label"] is None
    assert found["slots"]["entities"] == []
    assert "answers are withheld" in err
