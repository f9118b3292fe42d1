"""Logistic regression against a plain minimiser of the same loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from bertft.evaluation.logistic import fit_logistic, probabilities


def test_weights_are_those_of_the_least_loss() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(200, 3)) * [1, 10, 0.01]
    held = (random.random(200) < 1 / (1 + np.exp(-numbers @ [1, -0.2, 50]))).astype(float)
    count = held.sum()
    targets = np.where(held > 0, (count + 1) / (count + 2), 1 / (202 - count))

    def loss(weights: np.ndarray) -> float:
        z = numbers @ weights[:3] + weights[3]
        return float((np.logaddexp(0, z) - targets * z).sum())

    found = fit_logistic(numbers, held)
    plain = minimize(loss, found * 1.1, method="Nelder-Mead",
                     options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 9999})  # fmt: skip
    assert loss(found) <= plain.fun + 1e-6
    assert found == pytest.approx(plain.x, rel=1e-2)
    assert probabilities(numbers, found).mean() == pytest.approx(targets.mean())


def test_what_numbers_tell_apart_has_finite_weights() -> None:
    numbers = np.linspace(-1, 1, 40)[:, None]
    p = probabilities(numbers, fit_logistic(numbers, (numbers[:, 0] > 0).astype(float)))
    assert np.isfinite(p).all()
    assert 0 < p[0] < 0.1 < 0.9 < p[-1] < 1
