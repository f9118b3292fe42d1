"""The ``evaluate`` modules against the count functions, offline and without a trace on disk."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertft.evaluation.metrics import (
    as_floats,
    class_counts,
    multi_label_metrics,
    multilabel_counts,
    single_label_metrics,
)
from bertft.spans import Entity


def single(gold: Any, predicted: Any, *, classes: int) -> dict[str, float]:
    return as_floats(
        single_label_metrics(class_counts(gold, predicted, classes=classes).sum(axis=0))
    )


def multi(gold: Any, predicted: Any) -> dict[str, float]:
    return as_floats(multi_label_metrics(multilabel_counts(gold, predicted).sum(axis=0)))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No sockets can be opened, and whatever is written to disk is written to this folder."""
    from evaluate import config

    import bertft.evaluation.modules  # noqa: F401  # importing may write what computing may not

    def refuse(*arguments: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    monkeypatch.setattr(config, "HF_METRICS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_modules_equal_the_count_functions_and_touch_neither_network_nor_disk(alone: Path) -> None:
    from bertft.evaluation.modules import MultiLabel, SingleLabel

    generator = np.random.default_rng(0)
    gold, predicted = generator.integers(0, 4, (2, 50))
    sets = generator.random((2, 50, 4)) < 0.4
    one, many = SingleLabel(), MultiLabel()
    for _ in range(2):
        computed = one.compute(predictions=predicted, references=gold, classes=6)
        assert computed == single(gold, predicted, classes=6)
        assert many.compute(predictions=sets[1], references=sets[0], classes=4) == multi(*sets)
    one.add_batch(predictions=predicted[:20], references=gold[:20])
    one.add_batch(predictions=predicted[20:], references=gold[20:])
    assert one.compute(classes=6) == single(gold, predicted, classes=6)
    assert many.compute(predictions=sets[1].tolist(), references=sets[0].tolist()) == multi(*sets)
    assert set(one.compute(predictions=[], references=[], classes=2).values()) == {0.0}
    assert set(many.compute(predictions=[], references=[], classes=2).values()) == {0.0}
    with pytest.raises(ValueError, match="not all in"):
        one.compute(predictions=[2], references=[0], classes=2)
    assert one.compute(predictions=[1], references=[1], classes=2)["accuracy"] == 1.0
    assert list(alone.iterdir()) == []


def test_answers_to_questions_as_a_module(alone: Path) -> None:
    from bertft.evaluation.modules import QuestionAnswering
    from bertft.evaluation.scores import question_scores

    golds = [["서울", "서울시"], [], ["the cat"], ["b"]]
    given = ["서울은", "", "a cat", ""]
    metric = QuestionAnswering()
    for scoring in ("squad", "korquad", "klue"):
        computed = metric.compute(predictions=given, references=golds, scoring=scoring)
        assert computed == question_scores(golds, given, scoring=scoring).values
    metric.add(prediction="cat", reference=["the cat"])
    assert metric.compute(scoring="squad") == {"exact_match": 1.0, "f1": 1.0}
    assert set(metric.compute(predictions=[], references=[], scoring="klue").values()) == {0.0}
    with pytest.raises(ValueError, match="scoring is one of"):
        metric.compute(predictions=given, references=golds, scoring="bleu")
    assert list(alone.iterdir()) == []


def test_entities_as_a_module(alone: Path) -> None:
    from bertft.evaluation.modules import EntityTagging
    from bertft.evaluation.scores import entity_scores

    gold = [[Entity(0, 2, "PER"), Entity(3, 4, "LOC")], [], [Entity(0, 1, "LOC")]]
    given = [[Entity(0, 2, "PER")], [Entity(1, 2, "LOC")], [Entity(0, 1, "LOC", repaired=True)]]
    sides = [[[asdict(one) for one in entities] for entities in side] for side in (gold, given)]
    metric = EntityTagging()
    computed = metric.compute(references=sides[0], predictions=sides[1], types=["LOC", "PER"])
    assert computed == entity_scores(gold, given, types=["LOC", "PER"]).values
    assert 0 < computed["f1"] < computed["lenient_f1"] < 1
    for number in (0, 2):
        empty: list[Any] = [[]] * number
        nothing = metric.compute(references=empty, predictions=empty, types=["PER"])
        assert set(nothing.values()) == {0.0}
    with pytest.raises(ValueError, match="'LOC' is not one of the types PER"):
        metric.compute(references=sides[0], predictions=sides[1], types=["PER"])
    assert list(alone.iterdir()) == []


def test_the_pure_functions_import_nothing_heavy() -> None:
    heavy = ("evaluate", "datasets", "torch", "transformers", "sklearn", "scipy", "pandas")
    program = (
        "import sys, bertft.evaluation.metrics, bertft.evaluation.intervals,"
        " bertft.evaluation.answers, bertft.evaluation.entities;"
        f"sys.exit(' '.join(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""
