"""Sets of labels keep their promise, whatever the probabilities are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.evaluation.conformal import enough_for, label_sets, quantile
from bertft.evaluation.probabilities import softmax


@pytest.mark.parametrize(
    ("count", "coverage", "rank"),
    [(99, 0.9, 90), (100, 0.9, 91), (9, 0.9, 9), (8, 0.9, None), (19, 0.95, 19), (4, 0.8, 4),
     (1000, 0.8, 801), (3, 0.1, 1)],
)  # fmt: skip
def test_the_rank_is_that_of_finite_samples(count: int, coverage: float, rank: int | None) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    assert quantile(scores, coverage=coverage) == (math.inf if rank is None else rank)
    assert (count >= enough_for(coverage)) == (rank is not None)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("heat", [0.3, 3.0])
def test_the_right_label_is_in_its_set_as_often_as_promised(coverage: float, heat: float) -> None:
    """Over many draws of dev and test; by a bad model, too, whose heat is wrong."""
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        z = generator.normal(size=(140, 5)) * 2
        chances = softmax(z).cumsum(axis=1)
        gold = (generator.random((140, 1)) > chances[:, :-1]).sum(axis=1)
        p = softmax(heat * z)
        own = p[np.arange(140), gold]
        allowed = quantile(1 - own[:100], coverage=coverage)
        covered.append(label_sets(p[100:], allowed)[np.arange(40), gold[100:]].mean())
    # The mean lies in [c, c + 1 / (n + 1)], give or take three standard errors.
    error = 3 * np.std(covered) / math.sqrt(len(covered))
    assert coverage - error <= np.mean(covered) <= coverage + 1 / 101 + error


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_more_coverage_never_takes_labels_away(scores: list[float], coverage: float) -> None:
    less, more = (quantile(scores, coverage=one) for one in (coverage, (1 + coverage) / 2))
    assert less <= more
    p = softmax(np.random.default_rng(0).normal(size=(20, 4)))
    assert (label_sets(p, less) <= label_sets(p, more)).all()
    assert label_sets(p, math.inf).all()
