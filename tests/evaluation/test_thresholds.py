"""The threshold of several labels: the best of all, between two probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bertft.evaluation.metrics import best_threshold

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
