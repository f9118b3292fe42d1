"""The span head: softmax over passage and [CLS] only, the same packed and padded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForQuestionAnswering, BertForQuestionAnswering

from bertft.contracts import Encoded
from bertft.heads.span import SpanHead, passage_of

HEAD = SpanHead()
SHAPES = [(2, 3), (4, 20), (1, 0), (6, 9), (2, 3)]
"""Tokens of the question and of the passage in each window."""


def encoded() -> list[Encoded]:
    """[CLS] question [SEP] passage [SEP]; the second window does not hold the answer."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for number, (question, passage) in enumerate(SHAPES):
        length, first = question + passage + 3, question + 2
        ids = torch.randint(5, 90, (length,), generator=generator).tolist()
        offsets = np.zeros((length, 2), dtype=np.int32)
        offsets[first : first + passage, 1] = 1
        target = (0, 0) if number == 1 or not passage else (first, first + passage - 1)
        types = [0] * first + [1] * (length - first)
        found.append(Encoded(ids, types, number, target=target, offsets=offsets))
    return found


def test_packed_is_padded(packed_is_padded: Any) -> None:
    packed_is_padded(HEAD, encoded(), lambda one: (len(one), 2))


def output(generator_seed: int) -> Any:
    generator = torch.Generator().manual_seed(generator_seed)
    longest = max(map(len, encoded()))
    shape = (len(SHAPES), longest)
    return SimpleNamespace(
        start_logits=torch.randn(shape, generator=generator) * 3,
        end_logits=torch.randn(shape, generator=generator) * 3,
    )


def test_softmax_is_over_the_passage_and_cls() -> None:
    """Each window by hand, with torch's cross-entropy over what is allowed."""
    given, expected = output(2), 0.0
    for number, one in enumerate(encoded()):
        assert isinstance(one.target, tuple)
        assert one.offsets is not None
        places = [0, *np.flatnonzero(one.offsets[:, 1]).tolist()]
        for logits, place in zip((given.start_logits, given.end_logits), one.target, strict=True):
            target = torch.tensor([places.index(place)])
            expected += float(functional.cross_entropy(logits[number, places][None], target)) / 2
    targets = HEAD.targets(encoded(), length=25)
    assert float(HEAD.loss(given, targets)) == pytest.approx(expected, rel=1e-5)


def test_logits_of_question_separators_and_padding_change_nothing() -> None:
    targets = HEAD.targets(encoded(), length=25)
    before = float(HEAD.loss(output(3), targets))
    given = output(3)
    for number, one in enumerate(encoded()):
        assert one.offsets is not None
        outside = np.flatnonzero(one.offsets[:, 1] == 0)[1:].tolist()
        outside += range(len(one), given.start_logits.shape[1])
        given.start_logits[number, outside] = 1e6
        given.end_logits[number, outside] = -1e6
    assert float(HEAD.loss(given, targets)) == before
    given.start_logits[0, 0] += 5  # [CLS] does take part
    assert float(HEAD.loss(given, targets)) > before + 0.1


def test_targets() -> None:
    """Start, end, first and last token of the passage, length; the same packed or padded."""
    expected = [[4, 6, 4, 6, 8], [0, 0, 6, 25, 27], [0, 0, 1, 0, 4], [8, 16, 8, 16, 18]]
    for length in (25, None):
        assert HEAD.targets(encoded()[:4], length=length).tolist() == expected
    assert [passage_of(one) for one in encoded()[:3]] == [(4, 6), (6, 25), (1, 0)]


def test_split_gives_each_sequence_its_starts_and_ends() -> None:
    starts = torch.arange(6.0).reshape(2, 3)
    given = SimpleNamespace(start_logits=starts, end_logits=-starts)
    batch: Any = SimpleNamespace(lengths=[1, 3])
    rows = [row.tolist() for row in HEAD.split(given, batch)]
    assert rows == [[[0, 0]], [[3, -3], [4, -4], [5, -5]]]
    packed = SimpleNamespace(start_logits=starts[:1], end_logits=-starts[:1])
    batch.lengths = [1, 2]
    assert [row.tolist() for row in HEAD.split(packed, batch)] == [[[0, 0]], [[1, -1], [2, -2]]]


def test_a_saved_model_is_a_plain_folder_of_transformers(tiny: Path, tmp_path: Path) -> None:
    HEAD.build(tiny).save_pretrained(tmp_path)
    found = AutoModelForQuestionAnswering.from_pretrained(tmp_path)
    assert type(found) is BertForQuestionAnswering
    assert found.qa_outputs.out_features == 2


def soft_encoded() -> list[Encoded]:
    """The same with probabilities; the last has places."""
    generator = np.random.default_rng(0)
    found = []
    for one, (_, passage) in zip(encoded(), SHAPES, strict=True):
        shares = generator.dirichlet(np.ones(1 + passage), size=2).T.astype(np.float32)
        found.append(replace(one, soft=shares))  # [1 + P, 2]
    return [*found[:-1], encoded()[-1]]


def test_probabilities_are_learned_by_their_divergence(packed_is_padded: Any) -> None:
    """Loss and gradient are those of sum p (log p - log q) by hand, each window by itself."""
    given, expected = output(4), torch.zeros(())
    sides = [given.start_logits.requires_grad_(), given.end_logits.requires_grad_()]
    for number, one in enumerate(soft_encoded()):
        assert one.offsets is not None
        places = [0, *np.flatnonzero(one.offsets[:, 1]).tolist()]
        for side, logits in enumerate(sides):
            q = logits[number, places].exp() / logits[number, places].exp().sum()
            if one.soft is None:
                assert isinstance(one.target, tuple)
                expected = expected - q[places.index(one.target[side])].log() / 2
            else:
                p = torch.from_numpy(one.soft[:, side])
                expected = expected + (p * (p.log() - q.log())).sum() / 2
    expected.backward()
    by_hand = [one.grad.clone() for one in sides]
    for one in sides:
        one.grad = None
    targets = HEAD.targets(soft_encoded(), length=25)
    assert HEAD.count(targets) == len(SHAPES)
    loss = HEAD.loss(given, targets)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    for one, gradient in zip(sides, by_hand, strict=True):
        assert torch.allclose(one.grad, gradient, atol=1e-6)
    packed_is_padded(HEAD, soft_encoded(), lambda one: (len(one), 2))
