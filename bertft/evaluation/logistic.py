"""Logistic regression: what speaks for an event, and whether it held, in; its probability out.

By maximum likelihood with the targets of Platt (1999, Probabilistic outputs for support vector
machines): (R + 1) / (R + 2) for the R that held and 1 / (W + 2) for the W that did not, so that
events which numbers tell apart without error get finite weights.

Shape legend: N events, K numbers of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bertft.evaluation.probabilities import sigmoid

if TYPE_CHECKING:
    from bertft.contracts import FloatArray


def fit_logistic(numbers: FloatArray, held: FloatArray) -> FloatArray:
    """Weights [K + 1] of sigmoid(w x + b), the offset last; numbers are [N, K], held [N] 0 or 1.

    Cross-entropy is followed to its least by Newton's method with step halving (Lin, Lin and Weng
    2007, Machine Learning 68, 267-276). N is at least 1.
    """
    inputs = np.concatenate([numbers, np.ones((len(numbers), 1))], axis=1)  # [N, K + 1]
    count = held.sum()
    missed = len(held) - count
    targets = np.where(held > 0, (count + 1) / (count + 2), 1 / (missed + 2))  # [N]
    weights = np.zeros(inputs.shape[1])
    weights[-1] = np.log((count + 1) / (missed + 1))

    def loss(weights: FloatArray) -> float:
        scores = inputs @ weights
        return float((np.logaddexp(0, scores) - targets * scores).sum())

    for _ in range(100):
        given = probabilities(numbers, weights)
        gradient = inputs.T @ (given - targets)
        if np.abs(gradient).max() < 1e-9 * len(numbers):
            break
        curvature = (inputs * (given * (1 - given))[:, None]).T @ inputs
        # Numbers that are all equal leave a direction flat: the ridge keeps the step finite.
        step = np.linalg.solve(curvature + 1e-9 * len(numbers) * np.eye(len(weights)), gradient)
        size = 1.0
        while size > 1e-9 and loss(weights - size * step) > loss(weights):
            size /= 2
        weights = weights - size * step
    return weights


def probabilities(numbers: FloatArray, weights: FloatArray) -> FloatArray:
    """[N] of numbers [N, K], with the weights [K + 1] that were fitted."""
    return sigmoid(numbers @ weights[:-1] + weights[-1])
