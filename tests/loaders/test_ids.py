"""What rows are called: by the file's own ids where those tell them apart, else by numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task

TASKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "classification": ({"name": "classification"}, {"text": "a", "label": "x"}),
    "nli": ({"name": "nli"}, {"premise": "a", "hypothesis": "b", "label": "neutral"}),
    "numbers": (
        {"name": "classification", "regression": True},
        {"text": "a", "score": 1.5},
    ),
    "spans": ({"name": "ner"}, {"text": "a", "entities": [{"start": 0, "end": 1, "label": "X"}]}),
    "words": ({"name": "ner"}, {"tokens": ["a"], "ner_tags": ["B-X"]}),
    "qa": ({"name": "qa"}, {"question": "w?", "context": "a b", "answers": ["a"]}),
    "pretraining": ({"name": "pretraining"}, {"text": "a. b."}),
}


def read(path: Path, task: str, *, gold: bool = True) -> tuple[list[str], str]:
    """The ids of a file's rows, and all that is said of them."""
    source = Source(str(path), data=DataSettings(), gold=gold)
    found = [one.id for one in make_task(TASKS[task][0]).read(source)]
    return found, " ".join([*source.meter.repaired, *source.meter.notes])


def write(folder: Path, rows: list[dict[str, Any]], *, form: str) -> Path:
    path = folder / f"a.{form.split()[0]}"
    if form == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        text = json.dumps(rows, indent=1 if form == "json indented" else None)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["json", "json indented", "jsonl"])
@pytest.mark.parametrize("task", TASKS)
def test_rows_without_ids_are_numbered(task, form, tmp_path):
    path = write(tmp_path, [TASKS[task][1]] * 3, form=form)
    assert read(path, task) == (["1", "2", "3"], "")


@pytest.mark.parametrize("column", ["id", "guid", "question_id", "idx", "uid", "sentence_id", "ID"])
@pytest.mark.parametrize("task", TASKS)
def test_own_ids_are_kept(task, column, tmp_path):
    rows = [{column: name, **TASKS[task][1]} for name in (7, "x-1", 9.0)]
    assert read(write(tmp_path, rows, form="json"), task) == (["7", "x-1", "9"], "")


@pytest.mark.parametrize("task", sorted(TASKS.keys() - {"qa"}))
def test_a_column_that_repeats_tells_nothing(task, tmp_path):
    rows = [{"id": name, **TASKS[task][1]} for name in "aab"]
    found, said = read(write(tmp_path, rows, form="json"), task)
    assert found == ["1", "2", "3"]
    assert "the column 'id' repeats its values" in said
    rows = [row | {"guid": f"g{i}"} for i, row in enumerate(rows)]
    assert read(write(tmp_path, rows, form="json"), task) == (["g0", "g1", "g2"], "")


def test_questions_that_share_an_id_are_refused_only_with_gold(tmp_path):
    rows = [{"id": name, **TASKS["qa"][1]} for name in "aab"]
    path = write(tmp_path, rows, form="json")
    with pytest.raises(DataError, match="record 2: the id 'a' is that of line 1 already"):
        read(path, "qa")
    assert read(path, "qa", gold=False)[0] == ["1", "2", "3"]
    rows = [{"doc_id": row.pop("id"), **row} for row in rows]  # no id of the question
    assert read(write(tmp_path, rows, form="json"), "qa")[0] == ["1", "2", "3"]


def test_rows_without_an_id_among_others_have_their_number(tmp_path):
    rows = [{"id": name, **TASKS["classification"][1]} for name in ("2", None, "x")]
    found, said = read(write(tmp_path, rows, form="json"), "classification")
    assert found == ["2", "row 2", "x"]
    assert "rows without 'id' are numbered" in said
    rows = [row | {"id": row["id"] and f"r{row['id']}"} for row in rows]
    found, _ = read(write(tmp_path, rows, form="json"), "classification")
    assert found == ["r2", "2", "rx"]


def test_ids_that_repeat_far_down_are_kept_and_said(tmp_path):
    rows = [{"id": i % 150, **TASKS["classification"][1]} for i in range(200)]
    found, said = read(write(tmp_path, rows, form="jsonl"), "classification")
    assert found == [str(i % 150) for i in range(200)]
    assert "ids do not tell them apart" in said


def test_sentences_whose_ids_begin_anew(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("# sent_id = 1\na\tB-X\n\n# sent_id = 1\nb\tO\n\nc\tO\n", encoding="utf-8")
    found, said = read(path, "words")
    assert found == ["1", "1:5", "7"]
    assert "their line is added" in said


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(("key", "ids"), [("question_id", ["11", "12"]), ("", ["1", "2"])])
def test_questions_of_articles(key, ids, indent, tmp_path):
    asked = [{"question": "w?", "answers": [{"text": "a", "answer_start": 0}]} for _ in range(2)]
    asked = [one | ({key: ids[i]} if key else {}) for i, one in enumerate(asked)]
    data = {"data": [{"doc_id": "D", "paragraphs": [{"context": "a b", "qas": asked}]}]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(data, indent=indent), encoding="utf-8")
    assert read(path, "qa")[0] == ids


def test_a_fault_of_one_line_json_names_its_record(tmp_path):
    rows = [TASKS["classification"][1], {"text": "", "label": "x"}]
    with pytest.raises(DataError, match=r"a\.json:1: record 2: the text .* is empty"):
        read(write(tmp_path, rows, form="json"), "classification")
    with pytest.raises(DataError, match=r"a\.json:6: the text .* is empty"):
        read(write(tmp_path, rows, form="json indented"), "classification")
