"""Heads that start with looking at neighbours: by position alone, whatever the words are."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import BertConfig, BertForPreTraining

from bertft.encoder.neighbours import OFFSETS, ROOM, angles, look_at_neighbours, turn


def model_of(*, layers: int, width: int) -> BertForPreTraining:
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=300, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=width // 64, intermediate_size=2 * width,
        initializer_range=0.05, attn_implementation="eager",
    )  # fmt: skip
    model = BertForPreTraining(config).eval()
    look_at_neighbours(model)
    return model


@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2, 7])
def test_a_turn_leads_to_another_position(steps: int) -> None:
    known = angles(300)
    assert known.shape == (300, ROOM)
    assert known.square().mean() == pytest.approx(1, abs=1e-4)
    turned = known[10:-10] @ turn(steps).T
    assert torch.allclose(turned, known[10 + steps : 290 + steps], atol=1e-3)


def test_no_two_positions_look_alike() -> None:
    likeness = angles(512) @ angles(512).T / ROOM
    assert likeness.diagonal().min() > 0.99
    assert (likeness - torch.eye(512)).abs().max() < 0.6
    assert likeness.diagonal(offset=1).abs().max() < 0.2


@pytest.mark.parametrize(("layers", "width"), [(2, 128), (4, 256), (4, 384)])
def test_heads_look_where_they_should(layers: int, width: int) -> None:
    model = model_of(layers=layers, width=width)
    ids = torch.randint(5, 300, (4, 60))
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions
    heads = width // 64
    for number, weights in enumerate(attention):  # [4, heads, 60, 60]
        for head in range(heads):
            seen = {
                offset: weights[:, head].diagonal(offset, dim1=1, dim2=2).mean().item()
                for offset in OFFSETS
            }
            best, second = sorted(seen, key=seen.__getitem__, reverse=True)[:2]
            if number < layers // 2 and head < len(OFFSETS):
                assert best == OFFSETS[head]
                assert seen[best] > (5 * seen[second] if number else 0.4)
            else:
                assert seen[best] < 2 * seen[second]


def test_words_say_nothing_of_positions() -> None:
    embeddings = model_of(layers=2, width=128).bert.embeddings
    words, segments = embeddings.word_embeddings.weight, embeddings.token_type_embeddings.weight
    for table, spread in ((words[1:].detach(), 0.05), (segments.detach(), 0.02)):
        assert table[:, -ROOM:].count_nonzero() == 0
        assert table[:, :-ROOM].std() == pytest.approx(spread, rel=0.2)
    assert embeddings.position_embeddings.weight[:, :-ROOM].count_nonzero() == 0


def mean_loss(*, neighbours: bool, words: int = 50, steps: int = 100) -> float:
    """Of masked words where each word has its own successor, in the last of the steps; in nats."""
    torch.manual_seed(2)
    config = BertConfig(
        vocab_size=words + 5, hidden_size=128, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=256, initializer_range=0.05,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = BertForPreTraining(config)
    if neighbours:
        look_at_neighbours(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98))
    successor = torch.randperm(words) + 5
    losses = []
    for _ in range(steps):
        first = torch.randint(5, words + 5, (16, 8))
        ids = torch.stack([first, successor[first - 5]], dim=2).flatten(1)
        hidden = torch.rand(ids.shape) < 0.2
        logits = model(input_ids=ids.masked_fill(hidden, 4)).prediction_logits
        loss = torch.nn.functional.cross_entropy(logits[hidden], ids[hidden])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses[-10:]) / 10


def test_word_order_is_learned_in_a_few_steps() -> None:
    assert mean_loss(neighbours=True) < 2
    # As from random weights: that one of 50 words is as probable as another.
    assert mean_loss(neighbours=False) == pytest.approx(math.log(50), abs=0.2)
