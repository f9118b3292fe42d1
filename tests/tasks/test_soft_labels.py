"""Soft labels: probabilities are learned whole, and count as their most probable label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from bertft.checks.findings import make_splits
from bertft.contracts import Encoded
from bertft.errors import DataError
from bertft.heads.sequence import SequenceHead
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.tasks.soft_labels import SOFT


def read(path: Path, **options):
    task = make_task({"name": "classification", **options})
    source = Source(str(path), data=DataSettings())
    examples = list(task.read(source))
    return task.learn_labels(examples, path=str(path)), examples, source


@pytest.fixture
def rows(tmp_path):
    def write(*cells, name="in.jsonl"):
        path = tmp_path / name
        rows = [{"text": f"text {n}", "soft_labels": one} for n, one in enumerate(cells)]
        lines = map(json.dumps, rows)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def targets(task, examples, tiny):
    from bertft.encoder.load import load_tokenizer

    return [one.target for one in task.encode(examples, load_tokenizer(tiny), max_length=16)]


def test_all_of_them_are_learned(rows, tiny):
    path = rows({"a": 0.7, "b": 0.2, "c": 0.1}, {"b": 0.995, "a": 0.01}, {"a": 1})
    task, examples, source = read(path)
    assert task.labels == ("a", "b", "c")  # c is never the most probable
    assert [one.names for one in examples] == [("a",), ("b",), ("a",)]
    assert source.meter.repaired[SOFT] == 3
    expected = [[0.7, 0.2, 0.1], [0.01 / 1.005, 0.995 / 1.005, 0], [1, 0, 0]]
    assert np.allclose(targets(task, examples, tiny), expected)


def test_several_labels_keep_their_probabilities(rows, tiny):
    task, examples, _ = read(rows({"a": 0.9, "b": 0.6}, {"a": 0.1, "b": 0.4}), multi_label=True)
    assert [one.names for one in examples] == [("a", "b"), ()]
    assert targets(task, examples, tiny) == [[0.9, 0.6], [0.1, 0.4]]


def test_a_table_holds_them_as_json(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(
        'text,label\nx,"{""a"": 0.25, ""b"": 0.75}"\ny,"{""a"": 1.0}"\n', encoding="utf-8"
    )
    task, examples, _ = read(path)
    assert task.labels == ("a", "b")
    assert [one.names for one in examples] == [("b",), ("a",)]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ({"a": 0.5, "b": 0.3}, "add up to 0.8, not to 1"),
        ({"a": 1.5, "b": -0.5}, "is 1.5, not a number from 0 to 1"),
        ({"a": "much"}, "is 'much', not a number"),
        ({}, "the label is missing"),
        (None, "the label is missing"),
        ("a", "no object of label -> probability"),
    ],
)
def test_what_is_no_probability_is_refused(rows, cell, told):
    with pytest.raises(DataError, match=r"in\.jsonl:2: .*") as error:
        read(rows({"a": 1.0}, cell))
    assert told in str(error.value)


@pytest.mark.parametrize("weights", [None, (1.0, 3.0)])
def test_the_loss_is_the_cross_entropy_with_what_is_told(weights):
    head = SequenceHead(("a", "b"), weights=weights)
    shares = torch.tensor([[0.3, 0.7], [1.0, 0.0]])
    encoded = [Encoded([1], [0], n, target=row.tolist()) for n, row in enumerate(shares)]
    found = head.targets(encoded, length=None)
    logits = torch.tensor([[0.2, -1.0], [0.5, 0.1]])
    w = torch.tensor(weights or (1.0, 1.0))
    expected = -(shares * functional.log_softmax(logits, dim=-1) * w).sum()
    output = type("Output", (), {"logits": logits})
    assert head.loss(output, found).item() == pytest.approx(expected.item())
    assert head.count(found) == pytest.approx(float((shares @ w).sum()) if weights else 2.0)


class TestBesideLabels:
    """A file of soft labels in which some rows were checked, and have a label."""

    ROWS = (
        {"label": "a", "soft_labels": {"a": 0.9, "b": 0.1}},
        {"label": "b", "soft_labels": {"a": 0.6, "b": 0.4}},
        {"label": "", "soft_labels": {"a": 0.3, "b": 0.7}},
        {"label": None, "soft_labels": {"a": 0.8, "b": 0.2}},
        {"label": "a", "soft_labels": None},
    )

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "in.jsonl"
        rows = [{"text": f"text {n}", **one} for n, one in enumerate(self.ROWS)]
        path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        return path

    def test_a_label_is_learned_before_what_is_soft(self, path, tiny):
        task, examples, source = read(path)
        assert source.meter.repaired[SOFT] == 2
        expected = [[1, 0], [0, 1], [0.3, 0.7], [0.8, 0.2], [1, 0]]
        assert np.allclose(targets(task, examples, tiny), expected)

    def test_check_tells_how_far_both_agree(self, path, command, tiny):
        code, out, err = command(
            "check", "sentiment", "--train", str(path), "--model", str(tiny), "--json",
            "--set", "model.max_length=32",
        )  # fmt: skip
        assert (code, err) == (0, "")
        findings = {one["code"]: one for one in json.loads(out)["findings"]}
        found = findings["soft-label-agreement"]
        assert (found["count"], found["of"]) == (1, 2)
        assert "Cohen's kappa 0.000" in found["what"]
        (place,) = found["places"]
        assert place["text"] == "b, but softly a: text 1"
        assert place["line"] == 2

    def test_several_labels(self, tmp_path):
        path = tmp_path / "in.jsonl"
        rows = [
            {"text": "x", "label": ["a"], "soft_labels": {"a": 0.9, "b": 0.8}},
            {"text": "y", "label": ["b"], "soft_labels": {"a": 0.1, "b": 0.8}},
        ]
        path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        task, examples, _ = read(path, multi_label=True)
        (split,) = make_splits(task, {"train": examples}, {"train": str(path)})
        (found,) = task.findings(split, None, max_length=16)
        assert (found.count, found.of) == (1, 2)
        assert "kappa 0.500" in found.what  # of four decisions three agree
        assert found.places[0].text.startswith("a, but softly a, b: ")

    def test_neither_is_told(self, tmp_path):
        path = tmp_path / "in.jsonl"
        rows = [{"text": "x", "label": "a", "soft_labels": {"a": 1}}, {"text": "y", "label": ""}]
        path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
        with pytest.raises(DataError, match=r"in\.jsonl:2: the label is missing"):
            read(path)
