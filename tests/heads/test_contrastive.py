"""The contrast of labels: its loss against the formula text by text, and what counts as alike."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.heads.contrastive import TEMPERATURE, ContrastiveHead
from bertft.heads.sequence import SequenceHead

LABELS = ("bad", "fair", "good")
ONE = ContrastiveHead(SequenceHead(LABELS))
SEVERAL = ContrastiveHead(SequenceHead(LABELS, multi_label=True))


def output(vectors: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(last_hidden_state=vectors[:, None])


def by_hand(vectors: torch.Tensor, labels: list[set[int]]) -> tuple[float, int]:
    """(summed loss, texts that have one) as the paper writes it, one text after the other."""
    rows = torch.nn.functional.normalize(vectors.double(), dim=-1).tolist()
    total, counted = 0.0, 0
    for i, own in enumerate(rows):
        others = [j for j in range(len(rows)) if j != i]
        powers = {j: math.exp(float(np.dot(own, rows[j])) / TEMPERATURE) for j in others}
        alike = {j: len(labels[i] & labels[j]) / max(1, len(labels[i] | labels[j])) for j in others}
        if sum(alike.values()) == 0:
            continue
        counted += 1
        for j in others:
            share = alike[j] / sum(alike.values())
            total -= share * math.log(powers[j] / sum(powers.values()))
    return total, counted


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sets(st.integers(0, 2), max_size=3), min_size=1, max_size=9), st.integers(0, 10**6)
)
def test_the_loss_is_the_papers(labels: list[set[int]], seed: int) -> None:
    vectors = torch.randn(len(labels), 5, generator=torch.Generator().manual_seed(seed))
    targets = torch.tensor([[float(c in own) for c in range(3)] for own in labels])
    loss, count = by_hand(vectors, labels)
    assert float(SEVERAL.loss(output(vectors), targets)) == pytest.approx(loss, rel=1e-4, abs=1e-4)
    assert SEVERAL.count(targets) == count


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=9), st.integers(0, 10**6))
def test_one_label_is_a_set_of_one(labels: list[int], seed: int) -> None:
    vectors = torch.randn(len(labels), 5, generator=torch.Generator().manual_seed(seed))
    targets = torch.tensor(labels)
    hot = torch.nn.functional.one_hot(targets, 3).float()
    assert float(ONE.loss(output(vectors), targets)) == pytest.approx(
        float(SEVERAL.loss(output(vectors), hot))
    )
    assert ONE.count(targets) == SEVERAL.count(hot)


def test_probabilities_of_labels_are_compared_by_what_they_share() -> None:
    targets = torch.tensor([[0.8, 0.2, 0.0], [0.8, 0.2, 0.0], [0.2, 0.8, 0.0]])
    shares = ONE._shares(targets)
    torch.testing.assert_close(shares[0], torch.tensor([0.0, 1 / 1.25, 0.25 / 1.25]))


def test_the_loss_falls_as_texts_of_a_label_meet() -> None:
    targets = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    together = apart[[0, 0, 1, 1]]
    assert float(ONE.loss(output(together), targets)) < 0.01
    assert float(ONE.loss(output(apart), targets)) > 10


def test_a_text_without_its_like_gives_no_gradient_that_is_not_finite() -> None:
    vectors = torch.randn(1, 4, requires_grad=True)
    ONE.loss(output(vectors), torch.tensor([1])).backward()
    assert torch.equal(vectors.grad, torch.zeros(1, 4))
