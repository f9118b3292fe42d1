"""The last layer for first tokens: logits, gradients and the law of dropout are the whole's."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from bertft.contracts import Encoded
from bertft.encoder import packing
from bertft.encoder.averaging import add_averaging
from bertft.encoder.dropout import use_fast_dropout
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer, choose_batcher
from bertft.heads.number import NumberHead
from bertft.heads.sequence import SequenceHead
from bertft.heads.token import TokenHead

HEAD = SequenceHead(("a", "b", "c"))
LENGTHS = [3, 17, 4, 30, 1, 9, 9, 12, 40, 5, 1]
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 3}
SIZE |= {"intermediate_size": 64, "vocab_size": 200, "pad_token_id": 0}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "vocab_size": 200}
FAMILIES = {
    "roberta": lambda: RobertaForSequenceClassification(RobertaConfig(**SIZE)),
    "electra": lambda: ElectraForSequenceClassification(ElectraConfig(**SIZE, embedding_size=16)),
    "distilbert": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(**DISTILBERT, num_labels=3)
    ),
}
Pair = tuple[PreTrainedModel, PreTrainedModel, Packer]


def made(name: str, tiny: Path) -> PreTrainedModel:
    torch.manual_seed(0)
    if name in FAMILIES:
        return FAMILIES[name]()
    model = HEAD.build(tiny)
    if name == "bert, mean of all tokens":
        assert add_averaging(model)
    if name == "bert, activations computed again":
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def whole_and_first(model: PreTrainedModel, tiny: Path, monkeypatch: Any, head: Any) -> Pair:
    """The model packed without and with the saving."""
    tokenizer = load_tokenizer(tiny)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    first, whole = model, copy.deepcopy(model)
    batcher = choose_batcher(first, tokenizer, head=head)
    monkeypatch.setattr(packing, "read_first_tokens", lambda _: None)
    assert isinstance(batcher, Packer)
    assert batcher == choose_batcher(whole, tokenizer, head=head)
    return whole, first, batcher


def rows() -> list[Encoded]:
    generator = torch.Generator().manual_seed(1)
    ids = [torch.randint(5, 60, (n,), generator=generator).tolist() for n in LENGTHS]
    return [Encoded(one, [], i, target=i % 3) for i, one in enumerate(ids)]


def taken(model: PreTrainedModel, batcher: Packer, head: Any) -> tuple[Any, dict[str, Any]]:
    """Logits, and gradients by name."""
    batch = batcher(rows(), range(len(LENGTHS)), head=head)
    model.zero_grad()
    output = model(**batch.inputs)
    head.loss(output, batch.targets).backward()
    named = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    return output.logits.detach(), named


def tokens_of_last_layer(model: PreTrainedModel, batcher: Packer) -> int:
    """Tokens that its feed-forward part is given."""
    seen: list[int] = []
    linear = [one for one in model.base_model.modules() if type(one) is torch.nn.Linear]
    wide = [one for one in linear if one.out_features == 2 * one.in_features][-1]
    hook = wide.register_forward_hook(lambda module, given, out: seen.append(out.shape[1]))
    model(**batcher(rows(), range(len(LENGTHS)), head=None).inputs)
    hook.remove()
    return seen[-1]


@pytest.mark.parametrize(
    "name", ["bert", "bert, mean of all tokens", "bert, activations computed again", *FAMILIES]
)
def test_logits_and_gradients_are_those_of_the_whole_layer(
    name: str, tiny: Path, monkeypatch: Any
) -> None:
    whole, first, batcher = whole_and_first(made(name, tiny).eval(), tiny, monkeypatch, HEAD)
    if "again" in name:
        for one in (whole, first):
            one.train()
            for module in one.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
    assert tokens_of_last_layer(whole, batcher) == sum(LENGTHS)
    assert tokens_of_last_layer(first, batcher) == len(LENGTHS)
    expected, gradients = taken(whole, batcher, HEAD)
    found, own = taken(first, batcher, HEAD)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert own.keys() == gradients.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(own[key], gradient, atol=2e-6, rtol=1e-5)


def test_a_number_as_well(tiny: Path, monkeypatch: Any) -> None:
    head = NumberHead()
    whole, first, batcher = whole_and_first(head.build(tiny).eval(), tiny, monkeypatch, head)
    expected, found = taken(whole, batcher, head)[0], taken(first, batcher, head)[0]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_a_head_that_reads_every_token_gets_every_token(tiny: Path) -> None:
    head = TokenHead(("a", "b"))
    model = head.build(tiny).eval()
    batcher: Any = choose_batcher(model, load_tokenizer(tiny), head=head)
    assert tokens_of_last_layer(model, batcher) == sum(LENGTHS)


def test_padded_batches_go_through_the_whole_layer(tiny: Path) -> None:
    model = HEAD.build(tiny).eval()
    before = model(torch.tensor([[2, 7, 9, 3]])).logits
    choose_batcher(model, load_tokenizer(tiny), head=HEAD)
    model.set_attn_implementation("sdpa")
    torch.testing.assert_close(model(torch.tensor([[2, 7, 9, 3]])).logits, before)


def test_dropout_keeps_its_law(tiny: Path, monkeypatch: Any) -> None:
    """Mean and deviation of logits over many draws; and a seed decides what is drawn."""
    whole, first, batcher = whole_and_first(made("bert", tiny), tiny, monkeypatch, HEAD)
    inputs = batcher(rows(), range(len(LENGTHS)), head=None).inputs
    drawn = {}
    for name, model in (("whole", whole), ("first", first)):
        use_fast_dropout(model)
        model.train()
        torch.manual_seed(5)
        with torch.no_grad():
            drawn[name] = torch.stack([model(**inputs).logits for _ in range(200)])
    torch.manual_seed(5)
    torch.testing.assert_close(first(**inputs).logits, drawn["first"][0])
    deviation = drawn["whole"].std(dim=0)
    apart = (drawn["whole"].mean(dim=0) - drawn["first"].mean(dim=0)) / deviation
    assert float(apart.abs().max()) < 5 / 200**0.5 * 2**0.5
    assert float((drawn["first"].std(dim=0) / deviation - 1).abs().max()) < 0.25
