"""Intervals and paired tests: coverage, calibration, determinism, memory, and exact oracles."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bertft.evaluation import intervals
from bertft.evaluation.intervals import (
    Difference,
    bootstrap,
    mcnemar_exact,
    paired_bootstrap,
    point_values,
)
from bertft.evaluation.metrics import (
    class_counts,
    multi_label_metrics,
    multilabel_counts,
    ratio,
    single_label_metrics,
)
from bertft.evaluation.statistic import Statistic

Array = np.ndarray[Any, Any]


def mean_of(values: Any) -> Statistic:
    """The mean of numbers, as rows of the number and 1."""
    column = np.asarray(values, dtype=np.float64)
    rows = np.stack([column, np.ones_like(column)], axis=1)
    return Statistic(rows, lambda totals: {"mean": ratio(totals[..., 0], totals[..., 1])})


def answers(*, examples: int, classes: int, seed: int) -> tuple[Array, Array]:
    """Gold ids and predictions, eight in ten right."""
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, classes, examples)
    guess = generator.integers(0, classes, examples)
    return gold, np.where(generator.random(examples) < 0.8, gold, guess)


def scores_of(gold: Array, predicted: Array, *, classes: int) -> Statistic:
    return Statistic(class_counts(gold, predicted, classes=classes), single_label_metrics)


def test_interval_of_a_share_is_the_wilson_interval() -> None:
    for right, size in ((240, 300), (500, 1000), (9_000, 10_570)):
        low, high = bootstrap(mean_of([1] * right + [0] * (size - right)), replicates=4000)["mean"]
        wilson = stats.binomtest(right, size).proportion_ci(method="wilson")
        assert low == pytest.approx(wilson.low, abs=0.15 * (wilson.high - wilson.low))
        assert high == pytest.approx(wilson.high, abs=0.15 * (wilson.high - wilson.low))


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    held = {0.95: 0, 0.8: 0}
    for seed in range(250):
        sample = mean_of(generator.random(200) < 0.7)
        for confidence in held:
            interval = bootstrap(sample, replicates=300, confidence=confidence, seed=seed)["mean"]
            held[confidence] += interval[0] <= 0.7 <= interval[1]
    assert 0.91 <= held[0.95] / 250 <= 0.98
    assert 0.74 <= held[0.8] / 250 <= 0.86


def test_standard_error_of_numbers_that_are_all_different() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    low, high = bootstrap(mean_of(values), replicates=3000)["mean"]
    error = values.std() / np.sqrt(len(values))
    assert (high - low) / (2 * 1.96) == pytest.approx(error, rel=0.06)
    assert (high + low) / 2 == pytest.approx(values.mean(), abs=0.2 * error)


def test_the_seed_decides() -> None:
    statistic = scores_of(*answers(examples=200, classes=3, seed=0), classes=3)
    assert bootstrap(statistic, seed=1) == bootstrap(statistic, seed=1)
    assert bootstrap(statistic, seed=1) != bootstrap(statistic, seed=2)


def test_the_order_of_examples_changes_nothing() -> None:
    gold, predicted = answers(examples=200, classes=4, seed=0)
    _, other = answers(examples=200, classes=4, seed=1)
    order = np.random.default_rng(0).permutation(200)
    one, two = scores_of(gold, predicted, classes=4), scores_of(gold, other, classes=4)
    one_again = scores_of(gold[order], predicted[order], classes=4)
    two_again = scores_of(gold[order], other[order], classes=4)
    assert point_values(one) == point_values(one_again)
    assert bootstrap(one) == bootstrap(one_again)
    assert paired_bootstrap(one, two) == paired_bootstrap(one_again, two_again)


def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    statistic = scores_of(*answers(examples=300, classes=5, seed=0), classes=5)
    whole = bootstrap(statistic)
    for weights in (1, 1000):
        monkeypatch.setattr(intervals, "WEIGHTS", weights)
        assert bootstrap(statistic) == whole


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "WEIGHTS", 2**17)
    values = np.random.default_rng(0).normal(size=20_000)
    statistic = mean_of(values)  # 1000 x 20,000 weights would be 160 MB
    tracemalloc.start()
    bootstrap(statistic, replicates=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * statistic.rows.nbytes + 8 * 2**17


@pytest.mark.parametrize("values", [[1.0], [0.0], [0.3], [1.0] * 50, [0.0] * 50])
def test_constant_rows_have_an_interval_of_no_length(values: list[float]) -> None:
    statistic = mean_of(values)
    assert bootstrap(statistic)["mean"] == (values[0], values[0])
    assert paired_bootstrap(statistic, statistic)["mean"] == Difference(0.0, 0.0, 0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    gold=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    seed=st.integers(0, 10_000),
)
def test_limits_are_ordered_finite_scores(gold: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    predicted = generator.integers(0, 4, len(gold))
    sets = generator.random((2, len(gold), 3)) < 0.3
    label_sets = Statistic(multilabel_counts(*sets), multi_label_metrics)
    for statistic in (scores_of(np.array(gold), predicted, classes=4), label_sets):
        values = point_values(statistic)
        found = bootstrap(statistic, replicates=50, seed=seed)
        assert list(found) == list(values)
        for low, high in found.values():
            assert -1 <= low <= high <= 1


def test_weighted_rows_equal_scores_of_the_drawn_examples() -> None:
    gold, predicted = answers(examples=40, classes=3, seed=5)
    rows = scores_of(gold, predicted, classes=3).rows
    distinct, group = intervals._collapse(rows)
    assert np.array_equal(distinct[group], rows)
    (weights,) = intervals._resamples(group, distinct=len(distinct), replicates=500, seed=0)
    assert (weights.sum(axis=1) == 40).all()
    share = np.bincount(group) / 40
    assert np.abs(weights.mean(axis=0) / 40 - share).max() < 0.02
    assert weights.var(axis=0) == pytest.approx(40 * share * (1 - share), rel=0.3)


def test_a_metric_that_is_not_a_number_is_an_error() -> None:
    statistic = Statistic(
        np.ones((3, 1)), lambda totals: {"broken": np.full(totals.shape[:-1], np.nan)}
    )
    with pytest.raises(ValueError, match="broken"):
        bootstrap(statistic)


def test_what_cannot_be_resampled_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        bootstrap(mean_of([]))
    with pytest.raises(ValueError, match="replicates"):
        bootstrap(mean_of([1, 0]), replicates=0)
    with pytest.raises(ValueError, match="confidence"):
        bootstrap(mean_of([1, 0]), confidence=95)
    with pytest.raises(ValueError, match="not paired"):
        paired_bootstrap(mean_of([1, 0]), mean_of([1, 0, 1]))


def test_difference_is_what_b_gains_and_swapping_turns_it_round() -> None:
    gold, worse = answers(examples=400, classes=3, seed=0)
    better = np.where(np.arange(400) < 100, gold, worse)
    a, b = scores_of(gold, worse, classes=3), scores_of(gold, better, classes=3)
    there, back = paired_bootstrap(a, b), paired_bootstrap(b, a)
    for name, difference in there.items():
        gain = point_values(b)[name] - point_values(a)[name]
        assert difference.value == pytest.approx(gain)
        assert 0 < difference.low < difference.value < difference.high
        assert difference.p_value < 0.01
        assert back[name].value == pytest.approx(-gain)
    assert there["accuracy"].high == pytest.approx(
        np.mean(better == gold) - np.mean(worse == gold), abs=0.05
    )


def test_pairing_is_by_example_and_not_by_total() -> None:
    right = np.arange(100) % 2
    a, same, opposite = mean_of(right), mean_of(right), mean_of(1 - right)
    assert paired_bootstrap(a, same)["mean"] == Difference(0.0, 0.0, 0.0, 1.0)
    apart = paired_bootstrap(a, opposite)["mean"]
    assert apart.value == 0.0
    assert apart.high - apart.low == pytest.approx(4 * 1.96 * 0.5 / 10, rel=0.15)


def test_metrics_that_only_one_run_has_are_left_out() -> None:
    gold, predicted = answers(examples=50, classes=2, seed=0)
    sets = np.eye(2)[gold], np.eye(2)[predicted]
    other = Statistic(multilabel_counts(*sets), multi_label_metrics)
    found = paired_bootstrap(scores_of(gold, predicted, classes=2), other)
    assert set(found) == {"macro_f1", "micro_f1", "weighted_f1", "macro_precision", "macro_recall"}
    assert {round(one.value, 12) for one in found.values()} == {0.0}


def test_p_values_are_uniform_when_runs_are_equally_good() -> None:
    generator = np.random.default_rng(0)
    found: dict[str, list[float]] = {"accuracy": [], "macro_f1": []}
    for seed in range(300):
        gold = generator.integers(0, 3, 400)
        sides = [np.where(generator.random(400) < 0.75, gold, (gold + 1) % 3) for _ in range(2)]
        a, b = (scores_of(gold, side, classes=3) for side in sides)
        difference = paired_bootstrap(a, b, replicates=200, seed=seed)
        for name, p_values in found.items():
            p_values.append(difference[name].p_value)
    for p_values in found.values():
        assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.09
        assert 0.13 <= np.mean(np.array(p_values) <= 0.2) <= 0.27
        assert 0.4 <= np.mean(np.array(p_values) <= 0.5) <= 0.6


def test_few_disagreements_are_judged_between_the_two_simpler_tests() -> None:
    a, b = np.ones(100), np.ones(100)
    a[:5] = 0
    p_value = paired_bootstrap(mean_of(a), mean_of(b), replicates=20_000)["mean"].p_value
    assert 2 * 0.95**100 < p_value < mcnemar_exact(0, 5)
    shifted = stats.binom(100, 0.05)
    assert p_value == pytest.approx(shifted.cdf(0) + shifted.sf(9), abs=0.005)


@settings(max_examples=200, deadline=None)
@given(only_a=st.integers(0, 300), only_b=st.integers(0, 300))
def test_mcnemar_is_the_exact_sign_test(only_a: int, only_b: int) -> None:
    size = only_a + only_b
    expected = stats.binomtest(only_a, size, 0.5).pvalue if size else 1.0
    assert mcnemar_exact(only_a, only_b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_exact(only_a, only_b) == mcnemar_exact(only_b, only_a)


def test_mcnemar_of_large_and_impossible_counts() -> None:
    expected = stats.binomtest(500_000, 1_001_000, 0.5).pvalue
    assert mcnemar_exact(500_000, 501_000) == pytest.approx(expected, rel=1e-6)
    assert mcnemar_exact(0, 100_000) == 0.0
    assert mcnemar_exact(7, 7) == 1.0
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)
