"""Word embeddings whose gradient is that of the rows a step touches: the same as torch's."""

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


def dense(lookup: Lookup) -> torch.Tensor:
    """The gradient of the whole table."""
    ids, rows = lookup.rows()
    assert lookup.weight.grad is None
    return torch.zeros_like(lookup.weight).index_copy_(0, ids, rows.grad)


def test_gradients_are_torch_s_over_steps_and_accumulation(pair) -> None:
    plain, lookup = pair
    for batches in ([[1, 2, 2]], [[7, 3, 1], [2, 9, 9]], [[4]]):
        plain.zero_grad()
        lookup.begin()
        for batch in batches:
            for module in pair:
                backward(module, torch.tensor([batch]))
        assert torch.equal(dense(lookup), plain.weight.grad)
        assert lookup.rows()[0].tolist() == sorted({id_ for batch in batches for id_ in batch})


def test_what_is_done_to_a_gradient_stays_until_the_next_step(pair) -> None:
    """As clipping does."""
    _, lookup = pair
    backward(lookup, torch.tensor([1]))
    lookup.rows()[1].grad.zero_()
    assert not dense(lookup).any()
    lookup.begin()
    assert not len(lookup.rows()[0])
    backward(lookup, torch.tensor([1]))
    assert dense(lookup).any()


def test_rows_are_announced_before_they_are_read(pair) -> None:
    _, lookup = pair
    told: list[list[int]] = []
    lookup.before_reading = lambda ids: told.append(ids.flatten().tolist())
    with torch.inference_mode():
        lookup(torch.tensor([[8, 8]]))
    backward(lookup, torch.tensor([[5, 2]]))
    lookup.rows()
    assert told == [[8, 8], [5, 2], [2, 5]]


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
        parts = [(ids, rows.grad) for ids, rows in (lookup.rows(), other.rows())]
        assert parts[0][0].tolist() == sorted(set(own))
        for table in (lookup, other):
            table.replace(parts)
            assert torch.allclose(dense(table), plain.weight.grad / 2)


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
    body = nn.Sequential(nn.Embedding(LARGE, 16), nn.Embedding(LARGE, 16), nn.Linear(16, LARGE))
    body[2].weight = body[1].weight
    made = use_lookups(body)
    assert made == [body[0]]
    frozen = nn.Sequential(nn.Embedding(LARGE, 16))
    frozen.requires_grad_(False)
    assert use_lookups(frozen) == []
    assert use_lookups(nn.Sequential(nn.Embedding(LARGE, 24))) == []  # rounds in torch's own way
