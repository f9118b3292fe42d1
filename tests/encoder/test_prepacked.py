"""Packed weights answer as autocast does, without gradients alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bertft.encoder import prepacked
from bertft.encoder.prepacked import Prepacked, prepack

ROWS = torch.randn(17, 48, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 3, bias=False))


def answers(model: nn.Module, *, cast: bool = True) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast):
        return model(ROWS)


def test_answers_are_those_of_autocast(model: nn.Sequential) -> None:
    expected = answers(model)
    assert prepack(model)
    assert isinstance(model[0].forward, Prepacked)
    assert answers(model).dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(answers(model), expected, rtol=2**-7, atol=2**-8)


def test_float32_and_gradients_are_what_they_were(model: nn.Sequential) -> None:
    plain = answers(model, cast=False)
    model(ROWS).sum().backward()
    gradient = model[0].weight.grad.clone()
    model.zero_grad()
    assert prepack(model)
    assert torch.equal(answers(model, cast=False), plain)
    model(ROWS).sum().backward()
    assert torch.equal(model[0].weight.grad, gradient)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(ROWS).requires_grad


def test_the_weights_are_those_of_the_moment_of_packing(model: nn.Sequential) -> None:
    """Which is why only a model that is not trained any more is packed."""
    assert prepack(model)
    before = answers(model)
    with torch.no_grad():
        model[0].weight.zero_()
    assert torch.equal(answers(model), before)


def test_a_torch_without_the_operators_computes_as_before(model, monkeypatch) -> None:
    expected = answers(model)
    monkeypatch.setattr(prepacked.torch, "ops", object())
    assert not prepack(model)
    assert torch.equal(answers(model), expected)


def test_operators_that_compute_something_else_are_not_used(model, monkeypatch) -> None:
    def wrong(rows: torch.Tensor, weight: torch.Tensor, *rest: object) -> torch.Tensor:
        return rows.new_zeros(len(rows), 96)

    class Operators:
        class mkldnn:  # noqa: N801
            _linear_pointwise = staticmethod(wrong)
            _reorder_linear_weight = staticmethod(lambda weight: weight)

    monkeypatch.setattr(prepacked.torch, "ops", Operators)
    assert not prepack(model)
    assert not isinstance(model[0].forward, Prepacked)
