"""Attributions against what they are by analysis, on functions simple enough to know it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bertft.inside.attribution import (
    attention_rollout,
    faithfulness,
    integrated_gradients,
    word_shares,
)

GENERATOR = torch.Generator().manual_seed(3)
INPUTS = torch.randn(5, 4, generator=GENERATOR, dtype=torch.float64)
BASELINE = torch.randn(5, 4, generator=GENERATOR, dtype=torch.float64)
WEIGHTS = torch.randn(5, 4, generator=GENERATOR, dtype=torch.float64)


def linear(embeddings: torch.Tensor) -> torch.Tensor:
    return (embeddings * WEIGHTS).sum(dim=(1, 2)) + 7


def bent(embeddings: torch.Tensor) -> torch.Tensor:
    return torch.tanh(linear(embeddings) / 3)


def test_attributions_of_a_linear_score_are_its_terms() -> None:
    found = integrated_gradients(linear, INPUTS, BASELINE, steps=1)
    due = ((INPUTS - BASELINE) * WEIGHTS).sum(dim=1).numpy()
    assert np.allclose(found.values, due, atol=1e-5)
    assert abs(found.error) < 1e-5
    assert found.score == pytest.approx(float(linear(INPUTS[None])[0]))
    assert found.baseline == pytest.approx(float(linear(BASELINE[None])[0]))


def test_attributions_of_a_product_are_shared() -> None:
    """f = a * b from 0 to (a, b): the integral gives each a * b / 2."""
    inputs = torch.tensor([[3.0], [5.0]])
    found = integrated_gradients(
        lambda rows: rows[:, 0, 0] * rows[:, 1, 0], inputs, torch.zeros(2, 1), steps=2
    )
    assert np.allclose(found.values, [7.5, 7.5])


def test_more_steps_miss_less() -> None:
    errors = [
        abs(integrated_gradients(bent, INPUTS, BASELINE, steps=steps).error) for steps in (1, 4, 32)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < errors[0] / 1000


def test_tokens_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = integrated_gradients(bent, INPUTS, BASELINE, steps=7)
    monkeypatch.setattr("bertft.inside.attribution.TOKENS_AT_ONCE", 10)
    assert np.allclose(
        usual.values, integrated_gradients(bent, INPUTS, BASELINE, steps=7).values, atol=1e-5
    )


def test_rollout_of_two_layers_by_hand() -> None:
    attention = np.array([[[[0.0, 1.0], [1.0, 0.0]]], [[[0.0, 1.0], [0.0, 1.0]]]])
    rolled = attention_rollout(attention)
    assert np.allclose(rolled[0], 0.5)
    first, second = np.full((2, 2), 0.5), np.array([[0.5, 0.5], [0.0, 1.0]])
    assert np.allclose(rolled[1], second @ first)


def test_rows_of_a_rollout_sum_to_one() -> None:
    attention = np.random.default_rng(0).dirichlet(np.ones(6), size=(3, 2, 6))
    assert np.allclose(attention_rollout(attention).sum(axis=-1), 1)


def test_a_shared_token_counts_once() -> None:
    shares = word_shares([[1, 2], [2, 3]], np.array([9.0, 1.0, 4.0, 2.0]))
    assert shares.tolist() == [3.0, 4.0]


def test_deleting_what_matters_lowers_a_score_most() -> None:
    inputs, baseline = torch.tensor([[1.0], [2.0], [8.0], [0.5]]), torch.zeros(4, 1)
    groups, shares = [[0], [1], [2], [3]], np.array([1.0, 2.0, 8.0, 0.5])

    def total(rows: torch.Tensor) -> torch.Tensor:
        return rows.sum(dim=(1, 2))

    found = faithfulness(total, inputs, baseline, groups=groups, shares=shares, count=2, draws=400)
    assert found.deleted == 2
    assert found.top == pytest.approx(10)
    assert found.random == pytest.approx(11.5 / 2, rel=0.1)
