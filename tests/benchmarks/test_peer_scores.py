"""The peer's scores in benchmarks/: another way to the same numbers, under the same names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bertft.evaluation.entities import entity_counts, entity_metrics
from bertft.spans import Entity

GOLD = [["B-PER", "I-PER", "O"], ["O", "B-ORG", "O"], ["B-PER", "O", "O"]]
FOUND = [["B-PER", "I-PER", "O"], ["O", "B-PER", "O"], ["I-PER", "O", "B-ORG"]]


@pytest.fixture
def peer_scores(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return import_module("peer_scores")


def test_entity_scores_are_those_of_a_run(peer_scores: Any) -> None:
    """An I- with no entity to go on is one for the lenient score alone."""
    gold = [[Entity(0, 2, "PER")], [Entity(1, 2, "ORG")], [Entity(0, 1, "PER")]]
    found = [
        [Entity(0, 2, "PER")],
        [Entity(1, 2, "PER")],
        [Entity(0, 1, "PER", repaired=True), Entity(2, 3, "ORG")],
    ]
    counts = entity_counts(gold, found, types=("ORG", "PER")).sum(axis=0)
    own = {name: float(value) for name, value in entity_metrics(counts).items()}
    theirs = peer_scores.entity_scores(GOLD, FOUND)
    assert set(theirs) == {"f1", "lenient_f1", "macro_f1"}
    for name, value in theirs.items():
        assert value == pytest.approx(own[name]), name
