"""Cells of gold: one label has one name in every format, and lists are lists however they stand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError, RecipeError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.label_cells import LabelCells, one_label, read_list
from bertft.tasks.label_names import label_name

TEXTS = ["a good film", "i love it", "a bad film"]
SETS = [("toxic",), ("toxic", "threat"), ()]
NAMES = ["toxic", "insult", "threat"]
MULTI = {"name": "classification", "multi_label": True}


def read(path: Path, **options: Any) -> tuple[list[tuple[str, ...]], Counter[str]]:
    """Names of each example of a file, and what was said."""
    source = Source(str(path), data=DataSettings())
    task = make_task({"name": "classification", **options})
    return [one.names for one in task.read(source)], source.meter.mended


def write(path: Path, cells: list[Any], **more: list[Any]) -> Path:
    """The cells as the column ``label`` of CSV, JSONL or Parquet."""
    columns = {"text": TEXTS[: len(cells)], "label": cells, **more}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), path)
    else:
        import csv

        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(rows)
    return path


# --- one label --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([0, 0.0, "0", "0.0", "0.00", -0.0, "-0.0", " 0\u00a0"], "0"),
        ([1, 1.0, "1", "1.0", "\ufeff1"], "1"),
        ([True, "true", "True", "TRUE", " TRUE "], "true"),
        ([False, "false", "False", "FALSE"], "false"),
        (["good", " good", "good\u200b", "go\u00adod", "\ufeffgood", "\u00a0good\u3000"], "good"),
        (["fake news", "fake\u00a0news", "fake  news"], "fake news"),
        (["긍정", "\u1100\u1173\u11bc\u110c\u1165\u11bc"], "긍정"),
        (["1.5", 1.5], "1.5"),
    ],
)
def test_one_value_has_one_name(cells: list[Any], name: str) -> None:
    assert {label_name(cell) for cell in cells} == {name}


def test_other_values_keep_their_own_names() -> None:
    cells = ["Good", "good", "01", "1", "1.10", "1.1", "+1", "v1.0", "True story", "-1", "0"]
    assert len({label_name(cell) for cell in cells}) == len(cells)


def test_emoji_keep_what_joins_them() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert label_name(family) == family


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("good\u200b", "invisible"),
        (" good", "white space"),
        ("TRUE", "true and false"),
        ("1.0", "1.0 is 1"),
        ("good", ""),
        ("true", ""),
        (1.0, ""),
    ],
)
def test_what_is_read_otherwise_is_said(cell: Any, said: str) -> None:
    told = Counter[str]()
    label_name(cell, told)
    assert said in " ".join(told)
    assert bool(told) == bool(said)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_list_of_one_label_is_that_label(suffix: str, tmp_path: Path) -> None:
    cells: list[Any] = [["good"], ["bad"], ["good"]]
    names, said = read(write(tmp_path / f"data.{suffix}", cells))
    assert names == [("good",), ("bad",), ("good",)]
    # Lists of JSON are those of doccano, too, which is what is said then.
    assert "labels in a list of one are read as that label" in said or suffix != "csv"


def test_a_list_of_several_is_refused_and_brackets_are_no_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the label is a list"):
        read(write(tmp_path / "data.csv", ["['a', 'b']", "['a']"]))
    names, _ = read(write(tmp_path / "data.csv", ["[good]", "(bad)"]))
    assert names == [("[good]",), ("(bad)",)]


# --- several labels ---------------------------------------------------------------------------

WRITTEN = {
    "JSON": json.dumps,
    "Python": lambda labels: repr(list(labels)),
    "a tuple": lambda labels: repr(tuple(labels)),
    "numpy": lambda labels: "[" + " ".join(map(repr, labels)) + "]",
    "separated": "|".join,
}


@pytest.mark.parametrize("how", WRITTEN)
def test_lists_written_as_text_are_lists(how: str, tmp_path: Path) -> None:
    cells = [WRITTEN[how](list(labels)) for labels in SETS]
    names, said = read(write(tmp_path / "data.csv", cells), multi_label=True)
    assert names == SETS
    assert ("lists of labels written as text are read as lists" in said) == (how != "separated")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=4))
def test_any_list_comes_back_from_json_and_python(labels: list[str]) -> None:
    assert read_list(json.dumps(labels)) == labels
    assert read_list(repr(labels)) == labels


@pytest.mark.parametrize("text", ["[toxic, insult]", "[__import__('os')]", "[1, 2", "[f()]"])
def test_what_is_no_list_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(ValueError, match="no list"):
        read_list(text)


def vector(labels: tuple[str, ...], kind: type = int) -> list[Any]:
    return [kind(name in labels) for name in NAMES]


VECTORS = {
    "csv": lambda labels: str(vector(labels)),
    "numpy.csv": lambda labels: str(vector(labels)).replace(",", ""),
    "floats.csv": lambda labels: str(vector(labels, float)),
    "bits.csv": lambda labels: str(vector(labels, bool)),
    "jsonl": vector,
    "floats.jsonl": lambda labels: vector(labels, float),
    "bits.jsonl": lambda labels: vector(labels, bool),
    "parquet": vector,
    "bits.parquet": lambda labels: vector(labels, bool),
}


@pytest.mark.parametrize("kind", VECTORS)
def test_zeros_and_ones_need_the_names_of_their_places(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"data.{kind}", [VECTORS[kind](labels) for labels in SETS])
    with pytest.raises(DataError, match="lists of 3 zeros and ones") as refused:
        read(path, multi_label=True)
    assert "task.label_names=" in str(refused.value)
    names, _ = read(path, multi_label=True, label_names=NAMES)
    assert names == SETS
    with pytest.raises(DataError, match="names has 2"):
        read(path, multi_label=True, label_names=NAMES[:2])


def test_numbers_of_labels_are_not_taken_for_places(tmp_path: Path) -> None:
    cells = [[0, 1], [1, 0], [2]]
    names, _ = read(write(tmp_path / "a.jsonl", cells), multi_label=True, label_names=NAMES)
    assert names == [("0", "1"), ("1", "0"), ("2",)]
    names, _ = read(write(tmp_path / "b.jsonl", cells[:2]), multi_label=True, label_names=NAMES)
    assert names == [("0", "1"), ("1", "0")]
    names, _ = read(
        write(tmp_path / "c.jsonl", cells[:2]), multi_label=True, label_names=["a", "b"]
    )
    assert names == [("b",), ("a",)]


@pytest.mark.parametrize("cell", [[0, 2, 0], [0.2, 0.8, 0.1], [1, 1, 2]])
def test_lists_of_counts_and_shares_are_refused(cell: list[float], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no list of labels, nor of zeros and ones"):
        read(write(tmp_path / "data.jsonl", [cell]), multi_label=True)


def test_a_later_row_of_another_length_is_refused() -> None:
    cells = LabelCells(multi_label=True, names=("a", "b", "c")).reader([[0, 1, 0], [1, 1, 1]])
    assert cells([1, 0, 1], Counter()) == ("a", "c")
    with pytest.raises(ValueError, match="no list of 3 zeros and ones"):
        cells([1, 0], Counter())


# --- one column for each label ----------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind", [int, float, bool])
def test_one_column_for_each_label(suffix: str, kind: type, tmp_path: Path) -> None:
    columns = {name: [kind(name in labels) for labels in SETS] for name in NAMES}
    path = write(tmp_path / f"data.{suffix}", ["x"] * 3, **columns)
    text = path.read_bytes()
    assert text
    names, _ = read(path, label_column=NAMES)
    assert names == SETS


def test_columns_name_all_labels_in_their_order(tmp_path: Path) -> None:
    task = make_task({"name": "classification", "label_column": ["z", "a"]})
    path = write(tmp_path / "data.csv", ["x", "x"], z=[0, 0], a=[1, 0])
    examples = list(task.read(Source(str(path), data=DataSettings())))
    assert task.learn_labels(examples, path="f").labels == ("z", "a")


@pytest.mark.parametrize("cell", ["", "2", "-1", "0.5", "x"])
def test_a_column_holds_zeros_and_ones_only(cell: str, tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", ["x", "x"], z=[0, cell], a=[1, 0])
    with pytest.raises(DataError, match=r"data.csv:3: column 'z'"):
        read(path, label_column=["z", "a"])


def test_columns_of_zeros_and_ones_are_proposed(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("id,text,toxic,insult\n0,a film,0,1\n1,no,1,0\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column for the label") as refused:
        read(path)
    assert """--set 'task.label_column=["toxic", "insult"]'""" in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"label_column": ["a"]}, "two columns or more"),
        ({"label_column": ["a", "a"]}, "two columns or more"),
        ({"label_column": ["a", "b"], "label_names": ["c", "d"]}, "others than the columns"),
        ({"label_column": ["a", "b"], "regression": True}, "does not go with regression"),
    ],
)
def test_columns_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        make_task({"name": "classification", **options})


# --- names --------------------------------------------------------------------------------------


def test_numbers_follow_the_names_of_the_file_not_the_model(tmp_path: Path) -> None:
    """eval on a file whose numbers are in another order than the model's."""
    task = make_task({"name": "classification", "label_names": ["good", "bad"]})
    bound = task.bind(["bad", "good"], {})
    path = write(tmp_path / "data.csv", ["0", "1"])
    examples = list(bound.read(Source(str(path), data=DataSettings())))
    assert bound.gold_ids(examples) == [[1], [0]]
    assert bound.check(examples, path="f") == [
        "labels are read by task.label_names: 0 as good, 1 as bad"
    ]


def test_models_of_before_know_the_new_names(tmp_path: Path) -> None:
    bound = make_task({"name": "classification"}).bind(["False", "True"], {})
    path = write(tmp_path / "data.jsonl", [True, False])
    examples = list(bound.read(Source(str(path), data=DataSettings())))
    assert bound.gold_ids(examples) == [[1], [0]]


def test_another_spelling_at_eval_names_the_way_out(tmp_path: Path) -> None:
    bound = make_task({"name": "classification"}).bind(["bad", "good"], {})
    examples = list(
        bound.read(Source(str(write(tmp_path / "d.csv", ["Good"])), data=DataSettings()))
    )
    with pytest.raises(DataError, match="label 'Good' is none") as refused:
        bound.check(examples, path="f")
    assert "task.label_aliases=" in str(refused.value)


def test_an_empty_list_is_no_label() -> None:
    with pytest.raises(ValueError, match="missing"):
        one_label([], Counter())
