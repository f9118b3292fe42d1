"""The token head: packed and padded rows give one loss, and pieces without a tag none."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForTokenClassification, BertForTokenClassification

from bertft.contracts import Encoded
from bertft.heads.token import IGNORED, TokenHead

HEAD = TokenHead(("O", "B-PER", "I-PER"))
LENGTHS = [3, 17, 4, 30, 4, 12]


def encoded() -> list[Encoded]:
    """Random pieces; special tokens and every fifth piece carry no tag."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for number, length in enumerate(LENGTHS):
        ids = torch.randint(5, 90, (length,), generator=generator).tolist()
        tags = torch.randint(3, (length,), generator=generator).tolist()
        tags = [IGNORED if i % 5 == 0 or i == length - 1 else tag for i, tag in enumerate(tags)]
        found.append(Encoded(ids, [0] * length, number, target=tags))
    return found


def test_packed_is_padded(packed_is_padded: Any) -> None:
    packed_is_padded(HEAD, encoded(), lambda one: (len(one), 3))


def _lengths(lengths: list[int]) -> Any:
    return SimpleNamespace(lengths=lengths)


def test_pieces_without_a_tag_do_not_count() -> None:
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(2))
    tags = [[IGNORED, 1, 2, IGNORED], [IGNORED, 0]]
    rows = [Encoded([1] * len(tag), [], 0, target=tag) for tag in tags]
    targets = HEAD.targets(rows, length=4)
    assert targets.tolist() == [[IGNORED, 1, 2, IGNORED], [IGNORED, 0, IGNORED, IGNORED]]
    assert HEAD.targets(rows, length=None).tolist() == [[IGNORED, 1, 2, IGNORED, IGNORED, 0]]
    loss = HEAD.loss(SimpleNamespace(logits=logits), targets)
    assert HEAD.count(targets) == 3
    expected = functional.cross_entropy(
        torch.stack([logits[0, 1], logits[0, 2], logits[1, 1]]), torch.tensor([1, 2, 0])
    )
    assert float(loss) / 3 == pytest.approx(float(expected), rel=1e-5)
    logits[0, 0, 0], logits[1, 3, 2] = 1e4, 1e4
    assert float(HEAD.loss(SimpleNamespace(logits=logits), targets)) == float(loss)


def test_a_batch_without_any_tag_has_no_loss() -> None:
    """As with texts of nothing but control characters."""
    targets = HEAD.targets([Encoded([1, 2], [], 0, target=[IGNORED] * 2)], length=2)
    loss = HEAD.loss(SimpleNamespace(logits=torch.ones(1, 2, 3)), targets)
    assert (float(loss), HEAD.count(targets)) == (0.0, 0.0)


def test_split_gives_each_sequence_its_rows() -> None:
    padded = torch.arange(12.0).reshape(2, 3, 2)
    rows = HEAD.split(SimpleNamespace(logits=padded.bfloat16()), _lengths([1, 3]))
    assert [row.tolist() for row in rows] == [[[0, 1]], [[6, 7], [8, 9], [10, 11]]]
    packed = torch.arange(8.0).reshape(1, 4, 2)
    rows = HEAD.split(SimpleNamespace(logits=packed.bfloat16()), _lengths([1, 3]))
    assert [row.tolist() for row in rows] == [[[0, 1]], [[2, 3], [4, 5], [6, 7]]]
    assert {row.dtype for row in rows} == {np.dtype("float32")}


def test_a_saved_model_is_a_plain_folder_of_transformers(tiny: Path, tmp_path: Path) -> None:
    HEAD.build(tiny).save_pretrained(tmp_path)
    found = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert type(found) is BertForTokenClassification
    assert found.config.id2label == {0: "O", 1: "B-PER", 2: "I-PER"}
    assert found.config.label2id == {"O": 0, "B-PER": 1, "I-PER": 2}


def soft_encoded() -> list[Encoded]:
    """Words at places 1 and 3 of the first, 2 of the second; the last has tags."""
    offsets = [[(0, 0), (0, 3), (0, 0), (4, 6), (0, 0)], [(0, 0), (0, 0), (0, 2)]]
    shares = [[[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]], [[0.1, 0.1, 0.8]]]
    found = [
        Encoded([5] * len(places), [], number, target=[IGNORED] * len(places),
                offsets=np.array(places, dtype=np.int32), soft=np.array(p, dtype=np.float32))
        for number, (places, p) in enumerate(zip(offsets, shares, strict=True))
    ]  # fmt: skip
    return [*found, Encoded([5, 5], [], 2, target=[IGNORED, 2])]


def test_probabilities_are_learned_by_their_divergence() -> None:
    """Loss and gradient are those of sum p (log p - log q) by hand; packed as padded."""
    expected = {(0, 1): [0.7, 0.2, 0.1], (0, 3): [0, 1, 0], (1, 2): [0.1, 0.1, 0.8],
                (2, 1): [0, 0, 1]}  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 3, generator=generator, requires_grad=True)
    total = torch.zeros(())
    for (row, place), p in expected.items():
        q = logits[row, place].exp() / logits[row, place].exp().sum()
        total = total + sum(one * (math.log(one) - q[c].log()) for c, one in enumerate(p) if one)
    total.backward()
    assert logits.grad is not None
    by_hand, logits.grad = logits.grad.clone(), None
    targets = HEAD.targets(soft_encoded(), length=5)
    assert HEAD.count(targets) == 4
    loss = HEAD.loss(SimpleNamespace(logits=logits), targets)
    loss.backward()
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert torch.allclose(logits.grad, by_hand, atol=1e-6)
    packed = HEAD.targets(soft_encoded(), length=None)
    assert (packed.shape, HEAD.count(packed)) == ((1, 10, 3), 4)
    joined = torch.cat([logits[0], logits[1, :3], logits[2, :2]])[None]
    again = HEAD.loss(SimpleNamespace(logits=joined), packed)
    assert again.item() == pytest.approx(loss.item())


def test_who_gives_these_probabilities_has_no_loss() -> None:
    targets = HEAD.targets(soft_encoded()[:2], length=5)
    logits = targets.clamp_min(1e-9).log() + 3
    assert float(HEAD.loss(SimpleNamespace(logits=logits), targets)) == pytest.approx(0, abs=1e-5)
