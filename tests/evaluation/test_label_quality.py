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
    found = quality.label_quality(given, confident(right, classes=3))
    assert set(np.argsort(found.scores)[: len(flips)]) == set(flips)
    assert set(np.flatnonzero(found.marks)) == set(flips)


def test_labels_that_fit_are_not_marked():
    labels = np.arange(100) % 2
    found = quality.label_quality(labels, confident(labels, classes=2))
    assert not found.marks.any()
    assert found.scores.min() > 0.9
    assert found.scores == pytest.approx(found.p[np.arange(100), labels])


def test_a_label_that_the_model_overrates_casts_no_doubt_on_the_others():
    """Half of 900 right labels "a" look like "b", but so little that all of "b" look more so."""
    generator = np.random.default_rng(0)
    given = np.repeat([0, 1], [900, 100])
    right = given.copy()
    given[:20], given[900:910] = 1, 0
    z = np.stack([np.zeros(1000), 4 * right + generator.normal(0, 1, 1000)], axis=1)
    p = 1 / (1 + np.exp(z[:, :1] - z[:, 1:]))
    found = quality.label_quality(given, np.concatenate([1 - p, p], axis=1))
    flipped = {*range(20), *range(900, 910)}
    assert len(flipped & set(np.argsort(found.scores)[:30])) >= 26
    assert found.p.mean(axis=0) == pytest.approx(np.bincount(given) / 1000, abs=0.005)


def test_scaling_changes_little_of_few_labels_and_keeps_their_order():
    p = np.array([[0.3, 0.7], [0.6, 0.4], [0.9, 0.1]])
    scaled = quality.vector_scaled(np.array([0, 0, 1]), p)
    assert scaled.sum(axis=1) == pytest.approx(1)
    assert (np.diff(scaled[:, 0]) > 0).all()
    assert scaled == pytest.approx(p, abs=0.3)


def test_each_label_of_a_set_is_looked_at_by_itself():
    right = np.zeros((200, 3), dtype=bool)
    right[::2, 0] = right[::3, 1] = True  # the third label is never given: nothing is known of it
    given = right.copy()
    given[10, 1], given[30, 0] = True, False
    scores, marks = quality.set_quality(given, np.where(right, 0.95, 0.05))
    assert {(int(a), int(b)) for a, b in np.argwhere(marks)} == {(10, 1), (30, 0)}
    assert scores[10, 1] < 0.05 < 0.9 < scores[11, 1]


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"needs the library cleanlab; pip install '\.\[labels\]'"):
        quality.check_installed()
