"""States in the place of texts: every text finds its own rows, and heads answer the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AlbertConfig, AlbertForSequenceClassification

from bertft.contracts import Encoded
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import choose_batcher, trial_logits
from bertft.encoder.states import StateBatcher, rows_in_order, take_states, text_key
from bertft.errors import ModelError
from bertft.heads.hidden import states_read_by
from bertft.heads.sequence import SequenceHead
from bertft.heads.span import SpanHead
from bertft.heads.token import TokenHead

IDS = st.lists(st.integers(0, 9), min_size=1, max_size=6)
TEXTS = st.lists(IDS, min_size=1, max_size=12)


def encode(texts: list[list[int]], *, types: bool = True) -> list[Encoded]:
    return [Encoded(ids, [0] * len(ids) if types else [], i) for i, ids in enumerate(texts)]


class TestRows:
    @given(TEXTS, st.booleans(), st.randoms())
    def test_every_text_finds_its_own(self, texts, pools, random):
        encoded = encode(texts)
        ordered, places = rows_in_order(encoded, pools=pools)
        assert len(ordered) == len({tuple(ids) for ids in texts})
        states = [
            [float(hash((*one.input_ids, i)) % 1000) for i in range(1 if pools else len(one))]
            for one in ordered
        ]
        batcher = StateBatcher(np.concatenate(states)[:, None], places, pools)
        indices = random.sample(range(len(encoded)), random.randint(1, len(encoded)))
        batch = batcher(encoded, indices, head=None)
        found = batch.inputs["states"].flatten()
        assert sorted(batch.encoded) == sorted(indices)
        for index, rows in zip(batch.encoded, found.split(batch.lengths), strict=True):
            ids = encoded[index].input_ids
            count = 1 if pools else len(ids)
            assert rows.tolist() == [float(hash((*ids, i)) % 1000) for i in range(count)]

    @given(TEXTS, st.randoms())
    def test_the_order_is_that_of_the_texts_alone(self, texts, random):
        shuffled = [*texts, texts[0]]
        random.shuffle(shuffled)
        one, other = (rows_in_order(encode(rows), pools=False) for rows in (texts, shuffled))
        assert [one.input_ids for one in one[0]] == [one.input_ids for one in other[0]]
        assert one[1] == other[1]

    def test_segments_tell_texts_apart(self):
        rows = [Encoded([1, 2, 3], types, 0) for types in ([0, 0, 1], [0, 1, 1], [])]
        assert len({text_key(one) for one in rows}) == 3


@pytest.mark.parametrize(
    "head", [SequenceHead(("a", "b", "c")), TokenHead(("O", "B-X", "I-X")), SpanHead()], ids=repr
)
def test_a_head_answers_from_states_as_from_texts(tiny: Path, head) -> None:
    torch.manual_seed(0)
    model, tokenizer, readout = head.build(tiny), load_tokenizer(tiny), states_read_by(head)
    batcher = choose_batcher(model, tokenizer, head=head)
    model.eval()
    take_states(model, tokenizer, head=head, batcher=batcher, readout=readout)
    texts = encode([[2, 9, 11, 3], [2, 7, 3], [2, 30, 40, 50, 60, 3], [2, 7, 3]])
    with torch.inference_mode():
        expected = trial_logits(model, batcher, texts, head)
        base = model.base_model
        rows = trial_logits(base, batcher, texts, readout)
        ordered, places = rows_in_order(texts, pools=head.pools)
        by_key = {text_key(one): row for one, row in zip(texts, rows, strict=True)}
        states = torch.cat([by_key[text_key(one)].reshape(-1, 32) for one in ordered]).numpy()
        base.encoder = None  # nobody asks it
        found = trial_logits(model, StateBatcher(states, places, head.pools), texts, head)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b)


def test_a_head_that_pools_in_its_own_way_is_refused(tiny: Path) -> None:
    torch.manual_seed(0)
    config = AlbertConfig(
        vocab_size=200,
        embedding_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    head, tokenizer = SequenceHead(("a", "b")), load_tokenizer(tiny)
    model = AlbertForSequenceClassification(config)
    batcher = choose_batcher(model, tokenizer, head=head)
    with pytest.raises(
        ModelError, match=r"^AlbertFor.* does not answer from .*; --set training\.mo"
    ):
        take_states(model, tokenizer, head=head, batcher=batcher, readout=states_read_by(head))
