"""Labels to be doubted: the planted ones come first, and those that fit are not marked."""

from __future__ import annotations

import numpy as np
import pytest

from bertft.errors import RunError
from bertft.evaluation import label_quality as quality


def confident(labels: np.ndarray, *, classes: int, sure: float = 0.9) -> np.ndarray:
    p = np.full((len(labels), classes), (1 - sure) / (classes - 1))
    p[np.arange(len(labels)), labels] = sure
    return p


def test_planted_flips_are_marked_and_come_first():
    right = np.arange(300) % 3
    given, flips = right.copy(), np.arange(0, 300, 20)
    given[flips] = (given[flips] + 1) % 3
    scores, marks = quality.label_quality(given, confident(right, classes=3))
    assert set(np.argsort(scores)[: len(flips)]) == set(flips)
    assert set(np.flatnonzero(marks)) == set(flips)


def test_labels_that_fit_are_not_marked():
    labels = np.arange(100) % 2
    scores, marks = quality.label_quality(labels, confident(labels, classes=2))
    assert not marks.any()
    assert scores == pytest.approx(0.9)


def test_each_label_of_a_set_is_looked_at_by_itself():
    right = np.zeros((200, 3), dtype=bool)
    right[::2, 0] = right[::3, 1] = True  # the third label is never given: nothing is known of it
    given = right.copy()
    given[10, 1], given[30, 0] = True, False
    scores, marks = quality.set_quality(given, np.where(right, 0.95, 0.05))
    assert {(int(a), int(b)) for a, b in np.argwhere(marks)} == {(10, 1), (30, 0)}
    assert scores[10, 1] == pytest.approx(0.05)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"needs the library cleanlab; pip install '\.\[labels\]'"):
        quality.check_installed()
