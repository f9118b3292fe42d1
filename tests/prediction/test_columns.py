"""Batches of columns: what goes in stays, and the added columns are those of a Parquet file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bertft.errors import BertftError, DataError
from bertft.prediction.predictor import Predictor, load

TEXTS = ["a good film", "", "i hate it", None, "영화 정말 최고", float("nan")]
ANSWERED = [0, 2, 4]
ADDED = ["predicted_label", "probability", "truncated", "error"]


@pytest.fixture(scope="module")
def model(trained: Path) -> Predictor:
    return load(trained, device="cpu", precision="fp32")


def test_columns_go_through_and_answers_stand_behind_them(model: Predictor) -> None:
    numbers = np.arange(6)
    found = model.predict_columns({"n": numbers, "text": TEXTS})
    assert list(found) == ["n", "text", *ADDED]
    assert found["n"] is numbers
    assert found["text"] is TEXTS
    expected = model.predict([TEXTS[n] for n in ANSWERED])
    for place, one in zip(ANSWERED, expected, strict=True):
        assert found["predicted_label"][place] == one["label"]
        assert found["probability"][place] == pytest.approx(one["score"], abs=1e-6)
        assert found["error"][place] is None
    for place in {*range(6)} - {*ANSWERED}:
        assert [found[name][place] for name in ADDED[:3]] == [None] * 3
        assert "no text" in found["error"][place] or "empty" in found["error"][place]


def test_a_frame_is_a_batch(model: Predictor) -> None:
    frame = pd.DataFrame({"review": ["a good film", None]})
    found = pd.DataFrame(model.predict_columns(frame))
    assert list(found) == ["review", *ADDED]
    assert found["error"].isna().tolist() == [True, False]


def test_the_added_columns_are_those_of_a_parquet_file(
    command, run: Path, model: Predictor, tmp_path: Path
) -> None:
    table = {"id": ["a", "b"], "text": ["a good film", "never dull"]}
    pd.DataFrame(table).to_csv("rows.csv", index=False)
    flags = ["--run", "run", "--device", "cpu", "--precision", "fp32", "--out", "rows.parquet"]
    for asked in ({}, {"min_confidence": 0.7}, {"coverage": 0.8}):
        more = [f"--{name.replace('_', '-')}={value}" for name, value in asked.items()]
        code, _, err = command("predict", "rows.csv", *flags, *more, "--overwrite")
        assert code == 0, err
        expected = pq.read_table("rows.parquet").to_pydict()
        found = model.predict_columns(table, **asked)
        assert list(found) == list(expected)
        approximate = pytest.approx(expected.pop("probability"), abs=1e-6)
        assert found.pop("probability") == approximate
        assert found == expected


@pytest.mark.parametrize("batch", [[], ["", None]])
def test_a_batch_without_answers_has_the_same_columns(model: Predictor, batch: list[Any]) -> None:
    found = model.predict_columns({"text": batch}, min_confidence=0.9, coverage=0.8)
    added = ["predicted_label", "probability", "label_set", "withheld", "truncated", "error"]
    assert list(found) == ["text", *added]
    assert {len(found[name]) for name in added} == {len(batch)}


def test_taken_names_are_left_to_the_user(model: Predictor) -> None:
    found = model.predict_columns({"text": ["a good film"], "error": [7]})
    assert found["error"] == [7]
    assert found["error_2"] == [None]


def test_what_is_no_batch_is_refused(model: Predictor) -> None:
    with pytest.raises(DataError, match="columns of different lengths: text 2, n 1"):
        model.predict_columns({"text": ["a", "b"], "n": [1]})
    with pytest.raises(BertftError, match="column"):
        model.predict_columns({"n": [1], "m": [2]})


def test_a_predictor_travels_as_a_pickle(model: Predictor) -> None:
    batch = {"text": ["a good film", "i hate it"]}
    again = pickle.loads(pickle.dumps(model))
    assert again.engine is not model.engine
    assert again.predict_columns(batch) == model.predict_columns(batch)
    assert len(pickle.dumps(model)) < 20_000  # a place, not the weights
