"""Values that no text should be: Parquet types, texts without end, and what reading them costs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertft.encoder.pieces import CHARACTERS
from bertft.errors import DataError
from bertft.loaders import MAX_TEXT, files
from bertft.loaders.articles import read_articles
from bertft.loaders.files import TextFile
from bertft.loaders.source import Source
from bertft.prediction.passages import passages
from bertft.prediction.predictor import windows
from bertft.settings import DataSettings
from bertft.tasks import make_task


def read(
    path: Path, task: str = "classification", *, skip: bool = False
) -> tuple[list[Any], list[str]]:
    """The examples of a file, and the faults of the rows that were skipped."""
    faults: list[str] = []
    source = Source(str(path), data=DataSettings())
    if skip:
        source = Source(str(path), data=DataSettings(), bad_row=lambda e: faults.append(str(e)))
    return list(make_task({"name": task}).read(source)), faults


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (pa.array([b"a", b"\xff"]), "not text"),
        (pa.array([2**62, 2**62]).cast(pa.timestamp("us")), "not text|year|date|range|too large"),
        (pa.array([["a"], ["b"]]), "is list, not text"),
        (pa.array([{"a": 1}, {"a": 2}]), "is dict, not text"),
        (pa.array([None, None], pa.null()), "is empty"),
    ],
)
def test_parquet_types(tmp_path: Path, values: Any, fault: str) -> None:
    table = pa.table({"text": values, "label": ["x", "y"]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=fault) as caught:
        read(tmp_path / "a.parquet")
    assert caught.value.line == 1
    assert len(read(tmp_path / "a.parquet", skip=True)[1]) == 2


@pytest.mark.parametrize(
    ("name", "task", "row"),
    [
        ("a.jsonl", "classification", {"label": "x"}),
        ("a.jsonl", "nli", {"premise": "a", "label": "neutral"}),
        ("a.jsonl", "ner", {"entities": []}),
        ("a.jsonl", "qa", {"question": "a", "answers": []}),
    ],
)
def test_a_text_without_end_is_a_bad_row(tmp_path: Path, name: str, task: str, row: Any) -> None:
    key = {"nli": "hypothesis", "qa": "context"}.get(task, "text")
    lines = [json.dumps(row | {key: "a" * (MAX_TEXT + more)}) for more in (0, 1)]
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    found, (fault,) = read(tmp_path / name, task, skip=True)
    assert len(found) == 1
    assert f"{name}:2: a text of 4,194,305 characters" in fault


def test_the_same_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("a O\n\n" + "a" * (MAX_TEXT + 1) + " O\n", encoding="utf-8")
    found, (fault,) = read(tmp_path / "a.conll", "ner", skip=True)
    assert (len(found), "a.conll:3: a text of" in fault) == (1, True)
    rows = [{"passage": 7}, {"passage": "a" * (MAX_TEXT + 1)}, {"passage": "a"}]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    faults: list[Any] = []
    source = Source(str(tmp_path / "b.jsonl"), data=DataSettings(), bad_row=faults.append)
    assert [one.line for one in passages(source, "why?")] == [3]
    assert [one.line for one in faults] == [1, 2]


def test_long_texts_are_answered_in_small_windows() -> None:
    items = ["a"] * 5 + ["a" * CHARACTERS] * 2 + ["a"] * 3
    found = list(windows(items, most=4, length=len))
    assert [item for window in found for item in window] == items
    assert [len(window) for window in found] == [4, 2, 1, 3]


def test_line_numbers_of_many_articles_take_linear_time(tmp_path: Path) -> None:
    """Each article is looked through once, also where its ids are written otherwise."""
    asked = [{"id": "x/y", "question": "q", "answers": []} for _ in range(1_000)]
    big = {"paragraphs": [{"context": "c" * 300_000, "qas": asked}]}
    text = json.dumps({"data": [{"paragraphs": []}] * 10_000 + [big]}, indent=0)
    (tmp_path / "a.json").write_text(text.replace("x/y", "x\\/y"), encoding="utf-8")
    with TextFile(str(tmp_path / "a.json")) as file:
        assert len(list(read_articles(file, bad_row=lambda error: None))) == 1_000


def test_a_pipe_is_not_read_a_second_time_for_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text("text,label\na,x\n", encoding="utf-8"))
    writer.start()
    assert len(read(path)[0]) == 1
    writer.join()
    assert files.sha256(str(path)) == ""
