"""The lowest layers computed once: with their states a model answers and learns as with texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoTokenizer

from bertft.encoder.lower_layers import LowerLayers, UpperBatcher, stand_in_for_lower
from bertft.encoder.packing import Packer, choose_batcher, trial_logits, trial_texts
from bertft.encoder.states import joined_states
from bertft.heads.hidden import HiddenStates
from bertft.heads.sequence import SequenceHead

SHAPE = {
    "vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Roberta": {},
    "Electra": {"embedding_size": 32},
    "ModernBert": {"global_attn_every_n_layers": 2, "local_attention": 16},
    "DistilBert": {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64},
}


def made(family: str, **more: Any) -> Any:
    own = OWN.get(family, {}) | more
    shape = SHAPE if family != "DistilBert" else {"vocab_size": 400, "max_position_embeddings": 64}
    config = getattr(transformers, f"{family}Config")(num_labels=3, **shape, **own)
    torch.manual_seed(3)
    return getattr(transformers, f"{family}ForSequenceClassification")(config).eval()


@pytest.fixture
def tokenizer(tiny: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny)


@pytest.fixture
def head() -> SequenceHead:
    return SequenceHead(("a", "b", "c"))


def given(model: Any, tokenizer: Any, packer: Packer, *, count: int) -> UpperBatcher:
    """Makes the trial's batches with the states of the lower layers."""
    trial = trial_texts(model, tokenizer)
    part: Any = LowerLayers(model, count=count)
    with torch.inference_mode():
        states = trial_logits(part, packer, trial, HiddenStates())
    return UpperBatcher(packer, *joined_states(trial, states, pools=False))


@pytest.mark.parametrize("family", OWN)
@pytest.mark.parametrize("count", [1, 2])
def test_logits_are_those_of_texts(family: str, count: int, tokenizer: Any, head: Any) -> None:
    model = made(family)
    trial = trial_texts(model, tokenizer)
    packer = choose_batcher(model, tokenizer, head=head)
    assert isinstance(packer, Packer)
    with torch.inference_mode():
        expected = trial_logits(model, packer, trial, head)
    readout = HiddenStates()
    assert stand_in_for_lower(
        model, tokenizer, count=count, head=head, packer=packer, readout=readout
    )
    batcher = given(model, tokenizer, packer, count=count)
    with torch.inference_mode():
        found = trial_logits(model, batcher, trial, head)
        again = trial_logits(model, packer, trial, head)
    for one, other, third in zip(expected, found, again, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
        assert torch.equal(one, third)  # without states it is what it was
    batcher.states[:] = 0
    with torch.inference_mode():
        blank = trial_logits(model, batcher, trial, head)
    assert any(float((a - b).abs().max()) > 1e-4 for a, b in zip(expected, blank, strict=True))


@pytest.mark.parametrize("count", [1, 2])
def test_gradients_above_are_those_of_texts(count: int, tokenizer: Any, head: Any) -> None:
    model = made("Bert")
    packer = choose_batcher(model, tokenizer, head=head)
    trial = trial_texts(model, tokenizer)
    readout = HiddenStates()
    assert stand_in_for_lower(
        model, tokenizer, count=count, head=head, packer=packer, readout=readout
    )
    found = []
    for batcher in (packer, given(model, tokenizer, packer, count=count)):
        model.zero_grad()
        model(
            **batcher(trial, range(len(trial)), head=None).inputs
        ).logits.square().sum().backward()
        found.append({name: one.grad for name, one in model.named_parameters()})
    for name, gradient in found[0].items():
        low = "embeddings" in name or any(f"layer.{i}." in name for i in range(count))
        if low:
            assert found[1][name] is None, name
        else:
            assert torch.allclose(gradient, found[1][name], atol=1e-6), name


def test_lower_layers_compute_nothing_above(tokenizer: Any, head: Any) -> None:
    model = made("Bert")
    packer = choose_batcher(model, tokenizer, head=head)
    called: list[int] = []
    for number, layer in enumerate(model.bert.encoder.layer):
        layer.register_forward_hook(lambda *_, number=number: called.append(number))
    given(model, tokenizer, packer, count=2)
    assert set(called) == {0, 1}


@pytest.mark.parametrize(
    ("family", "own", "count"),
    [("Electra", {"embedding_size": 16}, 1), ("Bert", {}, 0), ("Bert", {}, 3)],
)
def test_what_does_not_answer_the_same_stays_as_it_is(
    family: str, own: dict[str, Any], count: int, tokenizer: Any, head: Any
) -> None:
    """ELECTRA projects its embeddings afterwards; the last layer is read otherwise."""
    model = made(family, **own)
    packer = choose_batcher(model, tokenizer, head=head)
    before = {name: vars(one).get("forward") for name, one in model.named_modules()}
    readout = HiddenStates()
    assert not stand_in_for_lower(
        model, tokenizer, count=count, head=head, packer=packer, readout=readout
    )
    assert {name: vars(one).get("forward") for name, one in model.named_modules()} == before
