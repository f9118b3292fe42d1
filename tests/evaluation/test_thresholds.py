"""The threshold of several labels: the best of all, between two probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bertft.evaluation.metrics import best_threshold, thresholds_by_label

SHAPE = (5, 3)


def micro_f1(p: np.ndarray, gold: np.ndarray, threshold: float) -> float:
    given_ = p >= threshold
    return 2 * (given_ & gold).sum() / max(1, given_.sum() + gold.sum())


@given(
    arrays.arrays(float, SHAPE, elements=st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.7, 0.99])),
    arrays.arrays(bool, SHAPE),
)
def test_no_threshold_is_better(p: np.ndarray, gold: np.ndarray) -> None:
    found = best_threshold(p, gold)
    if not gold.any():
        assert found is None
        return
    assert found is not None
    tried = [micro_f1(p, gold, one) for one in (0.001, 0.05, 0.2, 0.4, 0.6, 0.8, 0.995)]
    assert micro_f1(p, gold, found) == pytest.approx(max(tried))


def test_of_equally_good_ones_the_nearest_to_one_half() -> None:
    p, gold = np.array([[0.9, 0.1]]), np.array([[True, False]])
    assert best_threshold(p, gold) == pytest.approx(0.5)


def test_by_label_each_has_its_own_but_the_rare_ones() -> None:
    p = np.array([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4], [0.7, 0.0, 0.2]])
    gold = np.array([[True, True, False], [True, False, True], [False, False, False]])
    found = thresholds_by_label(p, gold, otherwise=0.33, least=1)
    assert found == pytest.approx((0.75, 0.15, 0.3))
    assert thresholds_by_label(p, gold, otherwise=0.33, least=2) == pytest.approx(
        (0.75, 0.33, 0.33)
    )
    assert thresholds_by_label(p, gold & [True, True, False], otherwise=0.33, least=0)[2] == 0.33
