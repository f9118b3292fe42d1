"""Risk, coverage and thresholds against plain counting."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.evaluation.selective import Share, area, risk_coverage, threshold_for

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.2, 0.4, 0.5, 0.7, 0.95]), st.booleans()), min_size=1, max_size=30
)


@given(PAIRS)
@settings(deadline=None)
def test_risk_is_the_share_of_wrong_ones_among_the_most_certain(
    pairs: list[tuple[float, bool]],
) -> None:
    p, right = zip(*pairs, strict=True)
    shares, risks = risk_coverage(p, right)
    for share, risk, least in zip(shares, risks, sorted({*p}, reverse=True), strict=True):
        given_ = [ok for one, ok in pairs if one >= least]
        assert share == pytest.approx(len(given_) / len(p))
        assert risk == pytest.approx(1 - sum(given_) / len(given_))


def test_the_area_is_the_mean_over_all_orders_of_equal_ones() -> None:
    p, right = [0.9, 0.7, 0.7, 0.7, 0.1], [1, 0, 1, 1, 0]
    areas = []
    for middle in permutations([0, 1, 1]):
        wrong = 1 - np.array([1, *middle, 0])
        areas.append((wrong.cumsum() / np.arange(1, 6)).mean())
    assert area(p, right) == pytest.approx(np.mean(areas))
    assert area([], []) == 0.0
    assert area([0.3, 0.9], [1, 1]) == 0.0
    assert area([0.3, 0.9], [0, 1]) < area([0.3, 0.9], [1, 0])


@given(PAIRS, st.floats(0.05, 0.99))
@settings(deadline=None)
def test_a_threshold_gives_as_many_as_the_accuracy_allows(
    pairs: list[tuple[float, bool]], accuracy: float
) -> None:
    p, right = zip(*pairs, strict=True)
    sizes = {
        len(kept): sum(kept) / len(kept)
        for least in {*p}
        if (kept := [ok for one, ok in pairs if one >= least])
    }
    good = [size for size, share in sizes.items() if share >= accuracy - 1e-9]
    found = threshold_for(p, right, accuracy=accuracy)
    if not good:
        assert found is None
        return
    assert found is not None
    assert found.given.count == max(good) == sum(one >= found.threshold for one in p)
    assert found.given.right == sum(ok for one, ok in pairs if one >= found.threshold)
    assert not any(one == found.threshold for one in p)


def test_the_interval_is_that_of_wilson() -> None:
    assert Share(90, 100).interval == pytest.approx((0.8256343, 0.9447709), abs=1e-6)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(5, 5).interval == pytest.approx((0.5655175, 1.0), abs=1e-6)
