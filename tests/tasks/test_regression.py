"""Regression: numbers of rows, where training starts, the mean over windows, and scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bertft.contracts import Encoded
from bertft.encoder.load import load_tokenizer
from bertft.errors import DataError, RecipeError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.regression import Regression
from bertft.tasks.text_rows import TextExample


def task(**options: object) -> Regression:
    made = make_task({"name": "classification", "regression": True, **options})
    assert isinstance(made, Regression)
    return made


def read(made: Regression, path: Path, text: str) -> list[TextExample]:
    path.write_text(text, encoding="utf-8")
    return list(made.read(Source(str(path), data=DataSettings())))


def numbered(*numbers: float) -> list[TextExample]:
    return [TextExample(str(n), n, f"film {n}", None, gold) for n, gold in enumerate(numbers, 2)]


class TestReading:
    def test_numbers_of_a_table(self, tmp_path):
        found = read(task(), tmp_path / "a.csv", "text,score\na,0\nb,2.50\nc, -1e1 \n")
        assert [one.gold for one in found] == [0.0, 2.5, -10.0]

    def test_a_number_inside_an_object(self, tmp_path):
        """KLUE-STS keeps it in labels.label, among others."""
        row = {"sentence1": "a", "sentence2": "b", "labels": {"label": 3.7, "binary-label": 1}}
        made = task(label_column="labels.label", pairs=True)
        (one,) = read(made, tmp_path / "a.jsonl", json.dumps(row) + "\n")
        assert (one.text, one.pair, one.gold) == ("a", "b", 3.7)

    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            ('"good"', "the label 'good' is not a number"),
            ("[1]", r"the label \[1\] is not a number"),
            ("null", "the label None is not a number"),
            ("NaN", "the label is missing"),
            ("Infinity", "the label is missing"),
        ],
    )
    def test_what_is_no_number_is_refused_with_its_line(self, tmp_path, value, fault):
        rows = '{"text": "a", "label": 1}\n{"text": "b", "label": ' + value + "}\n"
        with pytest.raises(DataError, match=rf"a\.jsonl:2: {fault}; mend the row"):
            read(task(), tmp_path / "a.jsonl", rows)

    def test_one_number_for_all_is_nothing_to_learn(self):
        with pytest.raises(DataError, match=r"a\.csv: all rows have the same number \(2\.0\)"):
            task().learn_labels(numbered(2.0, 2.0), path="a.csv")
        assert task().learn_labels(numbered(2.0, 3.0), path="a.csv") == task()


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("multi_label", True),
            ("label_names", ["a", "b"]),
            ("label_aliases", {"0": "a"}),
            ("label_smoothing", 0.1),
            ("class_weights", "balanced"),
            ("threshold", 0.4),
            ("label_separator", ";"),
        ],
    )
    def test_those_of_labels_are_refused(self, option, value):
        with pytest.raises(RecipeError, match=f"{option} does not go with regression; leave it"):
            task(**{option: value})

    def test_all_options_written_out_are_the_same_task(self):
        """As in a resolved recipe."""
        made = task(pairs=True, long_text="truncate")
        assert make_task({"name": "classification", **made.options.model_dump()}) == made


class TestModel:
    def test_training_starts_at_the_mean(self):
        assert task().head(numbered(1.0, 2.0, 4.5)).start == 2.5
        assert task().head([]).start is None

    def test_every_window_has_the_target(self, tiny):
        made = task(long_text="windows", window_overlap=2)
        rows = [TextExample("1", 2, "good film " * 9, None, 4.0), TextExample("2", 3, "a")]
        encoded = made.encode(rows, load_tokenizer(tiny), max_length=10)
        assert len(encoded) > 3
        assert {(one.example, one.target) for one in encoded} == {(0, 4.0), (1, None)}


class TestAnswers:
    def test_the_mean_over_windows(self):
        rows = [(2.0, 0), (4.0, 3)]
        pieces = [(Encoded([1], [], 0, dropped=d), np.array([v], np.float32)) for v, d in rows]
        one = TextExample("7", 2, "a", "b", 5.0)
        answer = task(pairs=True).decode(one, pieces)
        assert answer == {
            "id": "7", "text": "a", "text_pair": "b", "value": 3.0, "truncated": True,
        }  # fmt: skip
        judged = task().gold(one, answer, pieces)
        assert judged == {"gold": 5.0, "loss": 4.0}
        assert task().regain(answer | judged) == TextExample("7", 0, "a", "b", 5.0)

    def test_scores(self):
        """Ranks agree but for one swap: Spearman 1 - 6 * 2 / (4 * 15)."""
        given = [{"value": value} for value in (1.0, 3.0, 2.0, 6.0)]
        scores = task().score(numbered(1.0, 2.0, 3.0, 4.0), given)
        assert task().metric == "pearson"
        assert scores.values["spearman"] == pytest.approx(0.8)
        assert scores.values["pearson"] == pytest.approx(
            np.corrcoef([1, 2, 3, 4], [1, 3, 2, 6])[0, 1]
        )
        assert scores.values["rmse"] == pytest.approx(np.sqrt(6 / 4))
