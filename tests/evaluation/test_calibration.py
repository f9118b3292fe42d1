"""Calibration: fitted as its definition has it, harmless on small sets, undone exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from scipy import optimize
from sklearn.metrics import log_loss

from bertft.evaluation.calibration import (
    COLDEST,
    ENOUGH,
    HOTTEST,
    Choices,
    Events,
    calibrated,
    choices_of,
    cross_fitted,
    events_of,
    fit_confidence,
    fit_temperature,
)
from bertft.evaluation.probabilities import log_softmax, sigmoid, softmax
from bertft.evaluation.reliability import calibration_error, figures

FLOATS = st.floats(-50, 50, allow_subnormal=False)
"""Logits; the smallest numbers of all vanish when they are scaled."""


def choices(seed: int, *, size: int, classes: int = 4, heat: float = 1.0) -> Choices:
    """Gold is drawn from softmax(z); the model says softmax(heat z)."""
    generator = np.random.default_rng(seed)
    z = generator.normal(size=(size, classes)) * 2
    cumulated = softmax(z).cumsum(axis=1)
    gold = (generator.random((size, 1)) > cumulated[:, :-1]).sum(axis=1)
    return Choices(heat * z, gold)


def events(seed: int, *, size: int, scaling: list[tuple[float, float]]) -> Events:
    """What holds is drawn from sigmoid(a z + b); the model says sigmoid(z)."""
    generator = np.random.default_rng(seed)
    z = generator.normal(size=(size, len(scaling))) * 2
    slope, offset = np.array(scaling).T
    held = generator.random(z.shape) < sigmoid(slope * z + offset)
    return Events(z, held.astype(float), "examples")


class TestTemperature:
    @pytest.mark.parametrize("seed", range(6))
    def test_it_is_the_most_likely_one(self, seed: int) -> None:
        one = choices(seed, size=200 + 300 * seed, heat=(0.3, 1.0, 3.0)[seed % 3])
        share = 1 / (len(one) + 1)

        def loss(beta: float) -> float:
            log_p = log_softmax(beta * one.logits)
            own = log_p[np.arange(len(one)), one.gold]
            return -float(((1 - share) * own + share * log_p.mean(axis=1)).sum())

        oracle = optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded")
        assert 1 / fit_temperature(one.logits, one.gold) == pytest.approx(oracle.x, rel=1e-3)

    @pytest.mark.parametrize("heat", [0.2, 1.0, 4.0])
    def test_it_finds_the_heat(self, heat: float) -> None:
        one = choices(1, size=5000, heat=heat)
        assert fit_temperature(one.logits, one.gold) == pytest.approx(heat, rel=0.05)
        after = figures(one.outcomes(one.fit()))
        assert after["calibration_error"] < 0.025
        assert after["nll"] <= figures(one.outcomes(()))["nll"] + 1e-6

    def test_without_errors_it_stays_modest(self) -> None:
        """Likelihood alone would make a model that was right 100 times infallible."""
        gold = np.arange(100) % 2
        one = Choices(np.eye(2)[gold] * 2.0, gold)
        confidence = one.outcomes(one.fit()).confidence
        assert 0.98 < confidence.mean() < 0.999

    def test_of_few_examples_nothing_is_fitted(self) -> None:
        few, enough = (choices(0, size=size, heat=5.0) for size in (ENOUGH - 1, ENOUGH))
        assert few.fit() == ()
        assert few.lacks() == "49 examples are fewer than 50"
        assert enough.fit() != ()
        assert enough.lacks() == ""

    def test_classes_may_be_absent(self) -> None:
        one = choices(0, size=100, classes=9)
        one = Choices(one.logits, one.gold % 2)
        assert COLDEST <= fit_temperature(one.logits, one.gold) <= HOTTEST
        assert fit_temperature(np.zeros((0, 3)), []) == 1.0
        assert math.isfinite(fit_temperature(np.zeros((60, 3)), np.zeros(60, int)))

    @drawn(
        logits=st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=ENOUGH, max_size=80),
        seed=st.integers(0, 9),
    )
    @settings(max_examples=60, deadline=None)
    def test_it_changes_no_label(self, logits: list[list[float]], seed: int) -> None:
        z = np.array(logits)
        gold = np.random.default_rng(seed).integers(0, 3, len(z))
        ((slope, offset),) = Choices(z, gold).fit()
        assert 1 / HOTTEST * 0.999 <= slope <= 1 / COLDEST * 1.001
        assert offset == 0
        top = (slope * z).argmax(axis=1)
        assert (z[np.arange(len(z)), top] == z.max(axis=1)).all()


class TestEvents:
    def test_each_label_has_its_own(self) -> None:
        true = [(0.5, -1.0), (2.0, 0.5), (1.0, 0.0)]
        one = events(0, size=6000, scaling=true)
        for found, wanted in zip(one.fit(), true, strict=True):
            assert found == pytest.approx(wanted, abs=0.15)
        assert figures(one.outcomes(one.fit()))["calibration_error"] < 0.015

    def test_a_rare_label_has_that_of_all(self) -> None:
        one = events(0, size=500, scaling=[(0.5, -1.0), (1.0, 0.0)])
        gold = np.column_stack([one.gold, np.arange(500) < 9, np.zeros(500)])
        z = np.column_stack([one.logits, one.logits[:, :1], one.logits[:, 1:]])
        first, second, rare, absent = Events(z, gold).fit()
        assert rare == absent
        assert rare not in (first, second)
        gold[9, 2] = 1
        assert Events(z, gold).fit()[2] != absent

    def test_of_one_kind_alone_nothing_is_fitted(self) -> None:
        z = np.linspace(-3, 3, 100)[:, None]
        assert Events(z, np.ones((100, 1)), "answers").fit() == ()
        assert Events(z, np.ones((100, 1)), "answers").lacks() == "only 0 of 100 answers are wrong"
        gold = np.arange(100)[:, None] < 4
        assert Events(z, gold * 1.0, "answers").lacks() == "only 4 of 100 answers are right"
        assert events_of([], []).fit() == ()

    def test_confidence_that_misleads_keeps_its_order(self) -> None:
        one = events(0, size=2000, scaling=[(-1.0, 1.0)])
        ((a, b),) = one.fit()
        assert a == 1 / HOTTEST
        assert sigmoid(a * one.logits + b).mean() == pytest.approx(one.gold.mean(), abs=1e-6)


class TestEvidence:
    @drawn(heat=st.floats(0.1, 10), seed=st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def test_a_scaling_is_undone(self, heat: float, seed: int) -> None:
        one, other = choices(seed, size=60), events(seed, size=60, scaling=[(1.0, 0.0)] * 2)
        for scaling in ((), ((heat, 0.0),)):
            p = softmax(heat * one.logits) if scaling else softmax(one.logits)
            back = choices_of(p, one.gold, scaling=scaling)
            assert softmax(back.logits) == pytest.approx(softmax(one.logits), abs=1e-9)
        p = sigmoid(heat * other.logits + 0.5)
        again = events_of(p, other.gold, scaling=((heat, 0.5),) * 2)
        sure = np.abs(heat * other.logits + 0.5) > 25  # what is one within rounding is lost
        assert again.logits[~sure] == pytest.approx(other.logits[~sure], abs=1e-3)

    def test_nll_and_brier_are_those_of_scikit_learn(self) -> None:
        one = choices(3, size=400)
        found, p = figures(one.outcomes(())), softmax(one.logits)
        assert found["nll"] == pytest.approx(log_loss(one.gold, p, labels=range(4)))
        squares = ((p - np.eye(4)[one.gold]) ** 2).sum(axis=1)
        assert found["brier"] == pytest.approx(squares.mean())
        other = events(3, size=400, scaling=[(1.0, 0.0)])
        found = figures(other.outcomes(((2.0, 1.0),)))
        p = sigmoid(2 * other.logits[:, 0] + 1)
        assert found["nll"] == pytest.approx(log_loss(other.gold[:, 0], p))
        assert found["brier"] == pytest.approx(((p - other.gold[:, 0]) ** 2).mean())

    @pytest.mark.parametrize("wide", [1, 3])
    def test_cross_fitting_uses_the_other_folds(self, wide: int) -> None:
        one = events(5, size=203, scaling=[(0.5, 1.0)] * wide)
        found = cross_fitted(one, folds=4)
        for row in (0, 1, 102, 202):
            rest = one.take(np.arange(203) % 4 != row % 4).best()
            own = one.take(np.array([row])).outcomes(rest)
            place = slice(row * wide, (row + 1) * wide)
            assert found.confidence[place] == pytest.approx(own.confidence)
            assert found.right[place] == pytest.approx(own.right)
        few = choices(5, size=ENOUGH, heat=3.0)  # its folds are smaller than what is enough
        assert cross_fitted(few).nll.mean() < few.outcomes(()).nll.mean()
        fewer = few.take(np.arange(ENOUGH - 1))
        assert cross_fitted(fewer).nll == pytest.approx(fewer.outcomes(()).nll)
        single = choices(5, size=203, heat=3.0)
        assert (cross_fitted(single).right == single.outcomes(()).right).all()


def test_confidence_is_fitted_as_platt_defines_it() -> None:
    generator = np.random.default_rng(0)
    for a, b, size in ((0.4, -1.0, 4000), (1.0, 0.0, 4000), (2.0, 0.5, 30), (-0.5, 0.0, 50)):
        x = generator.normal(size=size) * 2
        p = 1 / (1 + np.exp(-x))
        right = generator.random(size) < 1 / (1 + np.exp(-(a * x + b)))
        target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

        def loss(weights: Any, x: Any = x, target: Any = target) -> float:
            given = 1 / (1 + np.exp(-(weights[0] * x + weights[1])))
            return float(-(target * np.log(given) + (1 - target) * np.log(1 - given)).sum())

        fitted = fit_confidence(p, right)
        assert fitted == pytest.approx(optimize.minimize(loss, [0.0, 0.0]).x, abs=1e-3)
        if size == 4000:
            assert fitted == pytest.approx((a, b), abs=0.15)
            before = calibration_error(p, right)
            assert calibration_error(calibrated(p, *fitted), right) <= max(before, 0.02)


@pytest.mark.parametrize(
    ("p", "correct"),
    [
        ([0.9, 0.8, 0.7], [1, 1, 1]),
        ([0.9, 0.8, 0.7], [0, 0, 0]),
        ([0.5] * 10, [1, 0] * 5),
        ([1.0] * 10, [1, 0] * 5),
        ([0.0, 1.0], [0, 1]),
        ([0.0, 1.0] * 500, [0, 1] * 500),
        ([0.3], [1]),
        ([0.1, 0.2, 0.8, 0.9] * 100, [0, 0, 1, 1] * 100),
    ],
)
def test_confidence_stays_finite_where_the_data_decide_nothing(
    p: list[float], correct: list[int]
) -> None:
    a, b = fit_confidence(p, correct)
    given = calibrated(p, a, b)
    assert np.isfinite([a, b]).all()
    assert ((given > 0) & (given < 1)).all()
    right = sum(correct)
    target = [(right + 1) / (right + 2) if c else 1 / (len(p) - right + 2) for c in correct]
    assert given.mean() == pytest.approx(np.mean(target), abs=1e-6)


def test_confidence_without_examples_is_left_as_it_is() -> None:
    assert fit_confidence([], []) == (1.0, 0.0)
    assert calibrated([0.2, 0.5, 0.9], 1.0, 0.0) == pytest.approx([0.2, 0.5, 0.9])
    assert calibrated([[0.2], [0.5]], 1.0, 0.0).shape == (2, 1)


@pytest.mark.parametrize("p", [[1.1], [-0.1], [math.nan]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match=r"probabilities|finite"):
        fit_confidence(p, [1])
    with pytest.raises(ValueError, match=r"probabilities|finite"):
        calibration_error(p, [1])
