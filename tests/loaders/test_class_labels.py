"""Names of labels that a Parquet file carries are what its numbers are read as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task

TEXTS = ["a good film", "a bad film", "no film"]
TOXIC = datasets.ClassLabel(names=["toxic", "praise"])
TAGS = datasets.Sequence(datasets.ClassLabel(names=["O", "B-WORK", "I-WORK"]))


def examples(path: Path, name: str = "classification", **options: Any) -> list[Any]:
    return list(make_task({"name": name, **options}).read(Source(str(path), data=DataSettings())))


def saved(path: Path, columns: dict[str, Any], features: dict[str, Any]) -> Path:
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).to_parquet(path)
    return path


def test_names_of_one_label(tmp_path: Path) -> None:
    columns = {"text": TEXTS, "label": [1, 0, 1]}
    path = saved(
        tmp_path / "a.parquet", columns, {"text": datasets.Value("string"), "label": TOXIC}
    )
    assert [one.names for one in examples(path)] == [("praise",), ("toxic",), ("praise",)]


def test_names_of_several_labels(tmp_path: Path) -> None:
    features = {"text": datasets.Value("string"), "labels": datasets.Sequence(TOXIC)}
    path = saved(tmp_path / "a.parquet", {"text": TEXTS, "labels": [[1, 0], [], [0]]}, features)
    found = [one.names for one in examples(path, multi_label=True)]
    assert found == [("praise", "toxic"), (), ("toxic",)]


def test_names_inside_an_object(tmp_path: Path) -> None:
    features = {"text": datasets.Value("string"), "labels": {"kind": TOXIC}}
    columns = {"text": TEXTS, "labels": [{"kind": 1}, {"kind": 0}, {"kind": 1}]}
    path = saved(tmp_path / "a.parquet", columns, features)
    found = [one.names for one in examples(path, label_column="labels.kind")]
    assert found == [("praise",), ("toxic",), ("praise",)]


def test_names_of_tags(tmp_path: Path) -> None:
    features = {"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": TAGS}
    columns = {"tokens": [["the", "good", "film"]], "ner_tags": [[0, 1, 2]]}
    (one,) = examples(saved(tmp_path / "a.parquet", columns, features), "ner")
    assert [(entity.start, entity.end, entity.label) for entity in one.entities] == [
        (4, 13, "WORK")
    ]


def test_no_label_and_unknown_numbers(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.parquet",
        {"premise": ["a"] * 3, "hypothesis": ["b"] * 3, "label": [0, -1, None]},
        {
            "premise": datasets.Value("string"),
            "hypothesis": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["contradiction", "entailment", "neutral"]),
        },
    )
    assert [one.names for one in examples(path, "nli")] == [("contradiction",)]
    table = pq.read_table(path)
    table = table.set_column(2, "label", pa.array([0, 7, 1]))
    pq.write_table(table, path)
    with pytest.raises(DataError, match="label 7 is none of the file's 3 label names"):
        examples(path, "nli")


def test_categories_of_pandas(tmp_path: Path) -> None:
    labels = pa.array(["b", "a", "b"]).dictionary_encode()
    pq.write_table(pa.table({"text": TEXTS, "label": labels}), tmp_path / "a.parquet")
    assert [one.names for one in examples(tmp_path / "a.parquet")] == [("b",), ("a",), ("b",)]


@pytest.mark.parametrize(
    "metadata", [b"", b"{", b"[]", b'{"info": 3}', b'{"info": {"features": {"label": [1, 2]}}}']
)
def test_damaged_metadata_name_nothing(metadata: bytes, tmp_path: Path) -> None:
    table = pa.table({"text": TEXTS, "label": [1, 0, 1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "a.parquet")
    assert [one.names for one in examples(tmp_path / "a.parquet")] == [("1",), ("0",), ("1",)]
