"""Scores, thresholds and figures of texts that no label fits."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bertft.evaluation.out_of_scope import (
    auroc,
    entropy,
    scope_figures,
    threshold_of_best_f1,
    threshold_that_refuses,
)
from bertft.evaluation.probabilities import softmax

numbers = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=30)


def test_entropy_is_that_of_scipy():
    logits = np.array([[9.0, 0.0, 0.0], [1.0, 0.0, 0.0], [900.0, 0.0, -900.0], [2.0, 2.0, 2.0]])
    expected = scipy.stats.entropy(softmax(logits), axis=-1) / np.log(3)
    assert entropy(logits) == pytest.approx(expected)
    assert entropy(logits)[-2:] == pytest.approx([0, 1])


@given(numbers, numbers)
def test_auroc_is_that_of_scikit_learn(outside, inside):
    found = auroc(np.array(outside), np.array(inside))
    gold = [1] * len(outside) + [0] * len(inside)
    assert found["value"] == pytest.approx(roc_auc_score(gold, outside + inside))
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1


def test_the_interval_of_auroc_covers_what_is_true():
    """Two normal distributions, a deviation apart: Phi(1 / sqrt 2) = 0.7602."""
    random = np.random.default_rng(0)
    found = [auroc(random.normal(1, 1, 60), random.normal(0, 1, 90)) for _ in range(400)]
    covered = np.mean([one["low"] <= 0.7602 <= one["high"] for one in found])
    assert 0.92 <= covered <= 0.98


@given(numbers, st.floats(0.01, 0.99))
def test_no_more_is_refused_than_may_be(inside, share):
    scores = np.array(inside)
    threshold = threshold_that_refuses(scores, share)
    refused = (scores >= threshold).sum()
    assert refused <= share * len(scores)
    # One score fewer would refuse too many.
    below = scores[scores < threshold]
    assert (scores >= below.max()).sum() > share * len(scores) - 1e-9


@given(numbers, st.data())
def test_no_other_threshold_has_a_better_f1(scores, data):
    values = (np.array(scores) + 6) / 12
    outside = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    )
    if not outside.any():
        return

    def f1(threshold: float) -> float:
        told = values >= threshold
        return 2 * (told & outside).sum() / (told.sum() + outside.sum())

    best = threshold_of_best_f1(values, outside)
    assert f1(best) == pytest.approx(max(map(f1, values)))


def test_figures():
    scores = np.array([0.9, 0.8, 0.2, 0.7, 0.1])
    outside = np.array([True, True, True, False, False])
    right = np.array([False, False, False, True, True])
    found = scope_figures(scores, scores >= 0.5, outside, right)
    assert found["texts"] == {"in_scope": 2, "out_of_scope": 3}
    assert found["refused"]["value"] == 0.5
    assert found["recognised"]["value"] == pytest.approx(2 / 3)
    assert found["precision"]["value"] == pytest.approx(2 / 3)
    assert found["f1"]["value"] == pytest.approx(2 / 3)
    assert found["auroc"]["value"] == pytest.approx(5 / 6)
    assert found["accuracy"]["value"] == pytest.approx(3 / 5)  # one refused, one not told
    alone = scope_figures(scores, scores >= 0.5, outside & False, right)
    assert alone.keys() == {"texts", "refused"}
