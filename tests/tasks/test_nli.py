"""Natural language inference: spellings of the three labels, rows without one, and answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bertft.contracts import Encoded
from bertft.errors import DataError, RecipeError
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.classification import Classification, TextExample
from bertft.tasks.nli import LABELS


def task(**options: object) -> Classification:
    made = make_task({"name": "nli", **options})
    assert isinstance(made, Classification)
    return made


def source(folder: Path, *labels: object, name: str = "gold_label") -> Source:
    path = folder / "a.jsonl"
    rows = [{"premise": "a", "hypothesis": "b", name: label} for label in labels]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Source(str(path), data=DataSettings())


def bound(made: Classification, examples: list[TextExample]) -> list[str]:
    """Label names of the examples, by the task that learned and checked them."""
    made = made.learn_labels(examples, path="a.jsonl")
    made.check(examples, path="a.jsonl")
    return [made.labels[index] for (index,) in made.gold_ids(examples)]


class TestLabels:
    @pytest.mark.parametrize("change", [str.lower, str.upper, str.capitalize])
    def test_names_in_any_case(self, tmp_path, change):
        names = ["neutral", "contradiction", "entailment"]
        examples = list(task().read(source(tmp_path, *map(change, names))))
        assert bound(task(), examples) == names
        assert task().learn_labels(examples, path="").labels == LABELS

    def test_two_of_three_are_enough(self, tmp_path):
        examples = list(task().read(source(tmp_path, "neutral", "entailment")))
        assert task().learn_labels(examples, path="").labels == LABELS

    def test_numbers_are_refused_with_the_setting_that_names_them(self, tmp_path):
        given = source(tmp_path, 0, 1)
        with pytest.raises(DataError) as caught:
            bound(task(), list(task().read(given)))
        assert str(caught.value).startswith("a.jsonl:1: label '0' is none of the model's 3 labels")
        assert "task.label_names" in caught.value.hint
        assert all(label in caught.value.hint for label in LABELS)

    @pytest.mark.parametrize("order", [LABELS, LABELS[::-1]])
    def test_numbers_are_mapped_in_the_declared_order(self, tmp_path, order):
        made = task(label_names=list(order))
        examples = list(made.read(source(tmp_path, 2, "0", 1.0, "NEUTRAL")))
        assert bound(made, examples) == [order[2], order[0], order[1], "neutral"]

    def test_other_labels_may_be_declared(self, tmp_path):
        made = task(label_names=["entailment", "not_entailment"])
        assert bound(made, list(made.read(source(tmp_path, "1", "entailment")))) == [
            "not_entailment",
            "entailment",
        ]

    @pytest.mark.parametrize("option", ["multi_label", "regression"])
    def test_options_that_do_not_fit(self, option):
        with pytest.raises(RecipeError, match=f"{option} is no option of nli; use name"):
            task(**{option: True})


class TestRowsWithoutAgreement:
    @pytest.mark.parametrize("none", ["-", -1, "-1", -1.0, "", None])
    def test_are_left_out_and_counted(self, tmp_path, none):
        given = source(tmp_path, "neutral", none, "entailment", none)
        assert [one.line for one in task().read(given)] == [1, 3]
        assert given.meter.counts == {"rows without an agreed label are left out": 2}

    def test_are_answered_when_predicting(self, tmp_path):
        labelled = source(tmp_path, "neutral", "-")
        bare = Source(labelled.path, data=DataSettings(), gold=False)
        assert [one.gold for one in task().read(bare)] == [None, None]
        assert not bare.meter.counts


class TestAnswers:
    def test_have_premise_and_hypothesis(self):
        made = task().bind(LABELS, {})
        one = TextExample("7", 2, "a film", "a good film", ("Neutral",))
        pieces = [(Encoded([1], [], 0), np.array([0.0, 3.0, 1.0], np.float32))]
        answer = made.decode(one, pieces)
        assert list(answer) == [
            "id", "premise", "hypothesis", "label", "score", "scores", "truncated",
        ]  # fmt: skip
        assert (answer["premise"], answer["hypothesis"]) == ("a film", "a good film")
        assert answer["label"] == "neutral"
        judged = made.gold(one, answer, pieces)
        assert judged["gold"] == "neutral"
        assert made.regain(answer | judged) == TextExample(
            "7", 0, "a film", "a good film", ("neutral",)
        )

    def test_a_record_names_them_too(self):
        one = task().example({"premise": "a", "hypothesis": "b"}, id="1")
        assert (one.text, one.pair) == ("a", "b")
        with pytest.raises(DataError, match="compares two texts"):
            task().example("a", id="1")
