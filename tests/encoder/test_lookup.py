"""Word embeddings with a gradient that stays allocated: the same gradient as torch's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from bertft.encoder.lookup import LARGE, Lookup, use_lookups
from bertft.heads.sequence import SequenceHead


@pytest.fixture
def pair() -> tuple[nn.Embedding, Lookup]:
    torch.manual_seed(0)
    plain = nn.Embedding(50, 6, padding_idx=3)
    other = nn.Embedding(50, 6, padding_idx=3)
    other.load_state_dict(plain.state_dict())
    return plain, Lookup(other)


def backward(module: nn.Module, ids: torch.Tensor) -> None:
    rows = module(ids)
    (rows * torch.arange(rows.numel()).view(rows.shape)).sum().backward()


def test_gradients_are_torch_s_over_steps_and_accumulation(pair) -> None:
    plain, lookup = pair
    for batches in ([[1, 2, 2]], [[7, 3, 1], [2, 9, 9]], [[4]]):
        plain.zero_grad()
        lookup.zero_grad()
        lookup.begin()
        for batch in batches:
            for module in pair:
                backward(module, torch.tensor([batch]))
        assert torch.allclose(lookup.weight.grad, plain.weight.grad)
        assert not lookup.weight.grad[3].any()


def test_the_gradient_stays_where_it_is(pair) -> None:
    _, lookup = pair
    backward(lookup, torch.tensor([1]))
    place = lookup.weight.grad.data_ptr()
    lookup.zero_grad()
    lookup.begin()
    backward(lookup, torch.tensor([2]))
    assert lookup.weight.grad.data_ptr() == place


def test_the_mean_of_what_several_have_touched(pair) -> None:
    """As torch makes it of the gradients of several processes; the next step starts anew."""
    plain, lookup = pair
    other = Lookup(nn.Embedding(50, 6, padding_idx=3))
    for own, its in (([1, 2, 2], [2, 49, 3]), ([7], [1])):
        plain.zero_grad()
        for table, ids in ((lookup, own), (other, its)):
            table.begin()
            backward(table, torch.tensor([ids]))
            backward(plain, torch.tensor([ids]))
        parts = [table.rows() for table in (lookup, other)]
        assert parts[0][0].tolist() == sorted(set(own))
        for table in (lookup, other):
            table.replace(parts)
            assert torch.allclose(table.weight.grad, plain.weight.grad / 2)


def test_values_and_names_are_those_of_the_table(pair) -> None:
    plain, lookup = pair
    ids = torch.tensor([[1, 3], [49, 0]])
    assert torch.equal(lookup(ids), plain(ids))
    with torch.inference_mode():
        assert torch.equal(lookup(ids), plain(ids))
    assert lookup.state_dict().keys() == plain.state_dict().keys()


def test_only_large_trainable_tables_of_their_own_are_replaced(tiny: Path) -> None:
    model = SequenceHead(("a", "b")).build(tiny)
    assert use_lookups(model) == []  # its vocabulary is small
    body = nn.Sequential(nn.Embedding(LARGE, 4), nn.Embedding(LARGE, 4), nn.Linear(4, LARGE))
    body[2].weight = body[1].weight
    made = use_lookups(body)
    assert made == [body[0]]
    frozen = nn.Sequential(nn.Embedding(LARGE, 4))
    frozen.requires_grad_(False)
    assert use_lookups(frozen) == []
