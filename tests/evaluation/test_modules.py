"""The ``evaluate`` modules against the count functions, offline and without a trace on disk."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
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


def single(gold: Any, predicted: Any, *, classes: int) -> dict[str, float]:
    return as_floats(
        single_label_metrics(class_counts(gold, predicted, classes=classes).sum(axis=0))
    )


def multi(gold: Any, predicted: Any) -> dict[str, float]:
    return as_floats(multi_label_metrics(multilabel_counts(gold, predicted).sum(axis=0)))


def test_modules_equal_the_count_functions_and_touch_neither_network_nor_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from evaluate import config

    from bertft.evaluation.modules import MultiLabel, SingleLabel

    def refuse(*arguments: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    monkeypatch.setattr(config, "HF_METRICS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
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
    assert list(tmp_path.iterdir()) == []


def test_the_pure_functions_import_nothing_heavy() -> None:
    heavy = ("evaluate", "datasets", "torch", "transformers", "sklearn", "scipy", "pandas")
    program = (
        "import sys, bertft.evaluation.metrics, bertft.evaluation.intervals;"
        f"sys.exit(' '.join(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""
