"""LayerNorms that give bfloat16 where a model learns under autocast, and nothing else."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bertft.encoder.norms import use_half_states


@pytest.fixture
def pair() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(2)
    plain = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 16), nn.LayerNorm(16))
    for norm in (plain[1], plain[3]):
        nn.init.normal_(norm.weight)
    ours = copy.deepcopy(plain)
    use_half_states(ours)
    return ours, plain


def test_they_give_bfloat16_of_what_they_compute_in_float32(pair) -> None:
    ours, plain = pair
    x = torch.randn(5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = (one[1](one[0](x)) for one in pair)
        assert (found.dtype, plain[1](x).dtype) == (torch.bfloat16, torch.float32)
        assert torch.equal(ours[1](x), plain[1](x).bfloat16())
    torch.testing.assert_close(found.float(), expected.float(), rtol=2**-7, atol=1e-2)


def test_gradients_are_those_of_autocast_to_rounding_and_float32(pair) -> None:
    x = torch.randn(200, 16)
    for one in pair:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = one(x)
        (out.float() * torch.linspace(-1, 1, 16)).sum().backward()
    for mine, its in zip(*(one.parameters() for one in pair), strict=True):
        assert mine.grad.dtype == torch.float32
        torch.testing.assert_close(mine.grad, its.grad, rtol=0.02, atol=0.02 * its.grad.abs().max())


def test_without_gradients_or_autocast_they_are_torch_s_own(pair) -> None:
    ours, plain = pair
    x = torch.randn(5, 16)
    assert torch.equal(ours(x), plain(x))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert ours(x).dtype == plain(x).dtype
        assert torch.equal(ours(x), plain(x))
