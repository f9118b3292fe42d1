"""Learning curves: laws that are known are found again, and intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.evaluation.learning_curve import (
    class_gains,
    fit_power_law,
    forecast,
    resampled,
    to_error,
)
from bertft.evaluation.statistic import Statistic

SIZES = np.array([500.0, 1000.0, 2000.0, 4000.0])


@given(st.floats(0, 0.3), st.floats(0.02, 0.4), st.floats(0.1, 0.95))
def test_a_known_law_is_found_again(a, b, c):
    errors = a + b * (SIZES / SIZES[-1]) ** -c
    law = fit_power_law(SIZES, errors, np.ones(4))
    # The grid of exponents is what is lost.
    assert law(2 * SIZES[-1:])[0] == pytest.approx(a + b * 2**-c, abs=0.002)
    assert law(SIZES) == pytest.approx(errors, abs=0.002)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_fit_keeps_its_bounds(errors):
    law = fit_power_law(SIZES, np.array(errors), np.ones(4))
    assert law.a >= 0
    assert law.b >= 0
    beyond = law(np.array([4000.0, 8000.0, 16000.0]))
    assert (np.diff(beyond) <= 1e-12).all()
    assert (beyond >= 0).all()


def test_many_fits_are_each_as_alone():
    errors = np.random.default_rng(0).uniform(0.1, 0.5, size=(20, 4))
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    together = fit_power_law(SIZES, errors, weights)(SIZES)
    for row, one in zip(errors, together, strict=True):
        assert fit_power_law(SIZES, row, weights)(SIZES) == pytest.approx(one)


def test_weights_count():
    errors = np.array([0.9, 0.3, 0.25, 0.22])  # the first does not belong to the others
    heavy = fit_power_law(SIZES, errors, np.array([1e-6, 1, 1, 1]))(SIZES)
    assert heavy[1:] == pytest.approx(errors[1:], abs=0.01)


def simulated(generator, *, a=0.1, b=0.1, c=0.4, examples=800, seeds=3, sizes=SIZES):
    """Runs that answer test examples right or wrong as a law says, and what they score at 2x.

    Examples are as hard for one run as for the next.
    """
    hard = generator.uniform(size=examples)
    all_sizes = np.append(sizes, 2 * sizes[-1])
    errors = a + b * (all_sizes / sizes[-1]) ** -c  # [S + 1]
    noise = generator.normal(0, 0.01, size=(len(all_sizes), seeds, 1))
    right = hard > errors[:, None, None] + noise + generator.normal(
        0, 0.02, size=(len(all_sizes), seeds, examples)
    )
    draws = np.stack(
        [
            np.stack([resampled(statistic(run), "accuracy") for run in runs], axis=1)
            for runs in right[:-1]
        ],
        axis=1,
    )
    return right[:-1].mean(axis=2), draws, right[-1].mean(axis=1)


def statistic(right):
    rows = np.stack([right, np.ones(len(right))], axis=1).astype(float)
    return Statistic(rows, lambda totals: {"accuracy": totals[..., 0] / totals[..., 1]})


class TestForecast:
    def test_intervals_hold_new_runs_as_often_as_they_say(self):
        generator = np.random.default_rng(3)
        inside = []
        for _ in range(12):
            scores, draws, then = simulated(generator, examples=400)
            found = forecast(SIZES, scores, draws, metric="accuracy", at=[8000])
            inside += [found.low[0] <= one <= found.high[0] for one in then]
        assert np.mean(inside) >= 0.9

    def test_it_gets_surer_with_more_examples(self):
        widths = []
        for examples in (200, 2000):
            scores, draws, _ = simulated(np.random.default_rng(1), examples=examples)
            found = forecast(SIZES, scores, draws, metric="accuracy", at=[8000])
            widths.append(found.high[0] - found.low[0])
        assert widths[1] < widths[0]

    def test_it_gets_less_sure_the_farther_it_looks(self):
        scores, draws, _ = simulated(np.random.default_rng(2), examples=1000)
        found = forecast(SIZES, scores, draws, metric="accuracy", at=[8000, 64_000])
        assert found.high[1] - found.low[1] > found.high[0] - found.low[0]
        for low, value, high in zip(found.low, found.value, found.high, strict=True):
            assert low <= value <= high

    def test_a_poor_fit_is_told_and_widens_the_interval(self):
        seeds = np.array([0.0, 0.002, -0.002])
        flat = np.array([[0.5], [0.5], [0.9], [0.9]]) + seeds
        steady = np.array([[0.72], [0.78], [0.82], [0.85]]) + seeds
        noise = np.random.default_rng(0).normal(0, 0.003, size=(1000, 4, 1))
        poor, good = (
            forecast(SIZES, one, one + noise, metric="accuracy", at=[8000])
            for one in (flat, steady)
        )
        assert poor.misfit > 5
        assert good.misfit < 2
        assert poor.high[0] - poor.low[0] > 3 * (good.high[0] - good.low[0])
        assert 0 <= poor.low[0] < poor.high[0] <= 1

    def test_a_score_of_which_less_is_better(self):
        scores, draws, _ = simulated(np.random.default_rng(5))
        up = forecast(SIZES, scores, draws, metric="accuracy", at=[8000])
        down = forecast(SIZES, 1 - scores, 1 - draws, metric="rmse", at=[8000])
        assert down.value == pytest.approx([1 - one for one in up.value])
        assert down.low == pytest.approx([1 - one for one in up.high])
        assert down.gain == up.gain

    def test_one_seed_will_do(self):
        scores, draws, _ = simulated(np.random.default_rng(6), seeds=1)
        found = forecast(SIZES, scores, draws, metric="accuracy", at=[8000])
        assert found.low[0] < found.value[0] < found.high[0]


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_runs_on_the_same_examples_are_drawn_together(seed):
    right = np.random.default_rng(seed).uniform(size=50) < 0.7
    one, same = (resampled(statistic(right), "accuracy") for _ in range(2))
    assert (one == same).all()
    assert one.mean() == pytest.approx(right.mean(), abs=0.02)


def test_the_class_that_gains_most_comes_first():
    scores = {
        "done": [0.9, 0.9, 0.9, 0.9],
        "rising": [0.2, 0.4, 0.55, 0.66],
        "slow": [0.8, 0.82, 0.835, 0.845],
    }
    found = class_gains(list(SIZES), scores)
    assert [name for name, _, _ in found] == ["rising", "slow", "done"]
    assert found[0][2] > 0.05
    assert found[2][2] == pytest.approx(0, abs=1e-9)


def test_errors_fall():
    assert to_error("accuracy", 0.75) == pytest.approx(0.25)
    assert to_error("perplexity", 12.5) == 12.5
