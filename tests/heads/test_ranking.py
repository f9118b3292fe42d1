"""The ranking head: pooled as sentence-transformers pools, the loss as it is written in papers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bertft.contracts import Encoded
from bertft.encoder.packing import Padder
from bertft.heads.hidden import HiddenStates
from bertft.heads.ranking import RankingHead
from bertft.training.inference import compute_logits

LENGTHS = [3, 17, 4, 30, 4, 9]


def encoded(targets: list[Any] | None = None) -> list[Encoded]:
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(5, 90, (n,), generator=generator).tolist() for n in LENGTHS]
    targets = [[0], [1], [2], 0, 1, 2] if targets is None else targets
    return [
        Encoded(row, [0] * len(row), i, target=target)
        for i, (row, target) in enumerate(zip(rows, targets, strict=True))
    ]


def loss_of(vectors: torch.Tensor, targets: list[Any], *, scale: float = 20.0) -> float:
    head = RankingHead(scale=scale)
    rows = [Encoded([1], [0], i, target=one) for i, one in enumerate(targets)]
    output = SimpleNamespace(last_hidden_state=vectors[:, None])
    found = head.targets(rows, length=None)
    return float(head.loss(output, found)) / head.count(found)


def by_hand(questions: torch.Tensor, passages: torch.Tensor, *, scale: float) -> float:
    """Of questions [Q, H] and distinct passages [P, H], of which the first Q are theirs."""
    cosines = functional.cosine_similarity(questions[:, None], passages[None], dim=-1)
    return float(functional.cross_entropy(scale * cosines, torch.arange(len(questions))))


@pytest.mark.parametrize("pooling", ["mean", "max", "cls_before_pooler"])
def test_packed_is_padded(packed_is_padded: Any, pooling: Any) -> None:
    packed_is_padded(RankingHead(pooling), encoded(), lambda _: (32,))


@pytest.mark.parametrize(
    ("pooling", "tokens"), [("mean", "mean"), ("max", "max"), ("cls_before_pooler", "first")]
)
def test_vectors_are_those_of_embed(tiny: Any, pooling: Any, tokens: Any) -> None:
    def rows(head: Any) -> np.ndarray:
        torch.manual_seed(0)
        model = head.build(tiny).eval()
        batch = Padder(0, 0)(encoded(), range(len(LENGTHS)), head=None)
        with torch.inference_mode():
            return np.stack(head.split(model(**batch.inputs), batch))

    plain = rows(HiddenStates(pooling=tokens))
    expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    assert np.abs(rows(RankingHead(pooling)) - expected).max() < 1e-6


SIZES = st.tuples(st.integers(1, 6), st.integers(0, 4), st.integers(2, 8))


@settings(deadline=None, max_examples=50)
@given(SIZES, st.floats(0.5, 50), st.integers(0, 2**31), st.randoms())
def test_the_loss_is_that_of_the_papers(
    sizes: tuple[int, int, int], scale: float, seed: int, random: Any
) -> None:
    """In whatever order the sequences of a batch lie."""
    count, negatives, width = sizes
    torch.manual_seed(seed)
    questions, passages = torch.randn(count, width), torch.randn(count + negatives, width)
    targets: list[Any] = [[i] for i in range(count)] + list(range(count + negatives))
    vectors, order = torch.cat([questions, passages]), list(range(len(targets)))
    random.shuffle(order)
    found = loss_of(vectors[order], [targets[i] for i in order], scale=scale)
    assert found == pytest.approx(by_hand(questions, passages, scale=scale), rel=1e-4, abs=1e-5)


def test_the_loss_is_that_of_sentence_transformers() -> None:
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    torch.manual_seed(0)
    columns = [torch.randn(5, 8) for _ in range(3)]  # questions, passages, hard negatives
    theirs = losses.MultipleNegativesRankingLoss(SimpleNamespace(), scale=20.0)
    expected = theirs.compute_loss_from_embeddings(columns, torch.zeros(0))
    targets = [*([i] for i in range(5)), *range(10)]
    assert loss_of(torch.cat(columns), targets) == pytest.approx(float(expected), rel=1e-5)


class TestRepeatedPassages:
    def test_a_passage_that_stands_there_twice_is_one(self):
        torch.manual_seed(0)
        questions, passages = torch.randn(3, 8), torch.randn(2, 8)
        both = [[0], [0], [1]]
        once = loss_of(torch.cat([questions, passages]), [*both, 0, 1])
        twice = loss_of(torch.cat([questions, passages[[0, 0, 1, 0]]]), [*both, 0, 0, 1, 0])
        assert twice == pytest.approx(once)
        # A loss that took the second one for wrong could not fall below log 2.
        same = torch.eye(2)[[0, 0, 1, 0, 0, 1]]
        assert loss_of(same, [*both, 0, 0, 1]) < 1e-6

    def test_others_that_answer_are_not_wrong(self):
        eye = torch.eye(3)
        vectors = torch.cat([eye[:1], eye[[0, 0, 1]]])
        assert loss_of(vectors, [[0, 1], 0, 1, 2]) < 1e-6
        assert loss_of(vectors, [[0], 0, 1, 2]) == pytest.approx(np.log(2), abs=1e-6)


def test_inputs_that_share_their_tokens_are_computed_once(tiny: Any) -> None:
    torch.manual_seed(0)
    head = RankingHead()
    model, rows = head.build(tiny).eval(), encoded()
    again = [rows[0], rows[3], rows[1], Encoded(rows[3].input_ids, rows[3].token_type_ids, 9)]
    seen: list[int] = []

    def batcher(chosen: Any, indices: Any, *, head: Any) -> Any:
        seen.extend(indices)
        return Padder(0, 0)(chosen, indices, head=head)

    settings: Any = {"head": head, "batcher": batcher, "precision": "fp32"}
    found = compute_logits(model, again, **settings)
    assert sorted(seen) == [0, 1, 2]
    alone = [compute_logits(model, [one], **settings)[0] for one in again]
    assert np.abs(np.stack(found) - np.stack(alone)).max() < 1e-6
    assert np.abs(found[0] - found[1]).max() > 1e-3
