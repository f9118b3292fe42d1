"""Layers of one operation: states and gradients are those of the layers that they stand for."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from bertft.encoder.attention import NAME, plan_groups
from bertft.encoder.dropout import set_dropout, use_fast_dropout
from bertft.encoder.fused import use_fused_layers
from bertft.encoder.last_layer import layers_of
from bertft.encoder.norms import use_half_states
from bertft.encoder.packing import row_length

LENGTHS = [1, 3, 3, 9, 17, 40, 70]
TOKENS = row_length(sum(LENGTHS))
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
SIZE |= {"intermediate_size": 64}
FAMILIES = {
    "bert": lambda: BertModel(BertConfig(**SIZE)),
    "roberta": lambda: RobertaModel(RobertaConfig(**SIZE)),
    "electra": lambda: ElectraModel(ElectraConfig(**SIZE, embedding_size=32)),
}


def made(name: str = "bert", *, dropout: float = 0.1, **settings: Any) -> PreTrainedModel:
    """Biases and LayerNorms are drawn, too: those of a fresh model would hide faults with them."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(**(SIZE | settings))) if settings else FAMILIES[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    model.set_attn_implementation(NAME)
    set_dropout(model, dropout)
    use_fast_dropout(model)
    return model.train()


def passed(
    model: PreTrainedModel, *, first: bool = False, dtype: torch.dtype | None = None, seed: int = 1
) -> list[torch.Tensor]:
    """Output of the model's layers for random states, and the gradients of these and of weights."""
    generator = torch.Generator().manual_seed(3)
    given = torch.randn(1, TOKENS, 32, generator=generator).requires_grad_()
    packing = plan_groups(LENGTHS, learns=True)
    *lower, last = layers_of(model)
    states = given
    torch.manual_seed(seed)
    with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        for layer in lower:
            states = layer(states, None, packing=packing)
        if first:
            firsts = states[:, packing.starts]
            states = last(firsts, None, packing=replace(packing, states=states))
        else:
            states = last(states, None, packing=packing)[:, : sum(LENGTHS)]
    pull = torch.randn(states.shape, generator=generator)
    wanted = [given, *(p for layer in (*lower, last) for p in layer.parameters())]
    return [states.detach(), *torch.autograd.grad(states, wanted, pull.to(states.dtype))]


def furthest(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """Largest difference, as a share of the largest number of its tensor, or of 1."""
    pairs = zip(found, expected, strict=True)
    return max(float((a - b).abs().max() / b.abs().max().clamp(min=1)) for a, b in pairs)


@pytest.mark.parametrize("first", [False, True], ids=["all tokens", "first tokens alone"])
@pytest.mark.parametrize("name", FAMILIES)
def test_states_and_gradients_are_those_of_the_layers(name: str, first: bool) -> None:
    plain = made(name, dropout=0.0)
    fused = copy.deepcopy(plain)
    assert use_fused_layers(fused) == 2
    assert furthest(passed(fused, first=first), passed(plain, first=first)) < 1e-5


@pytest.mark.parametrize("first", [False, True], ids=["all tokens", "first tokens alone"])
def test_with_dropout_too_where_both_draw_the_same(first: bool, monkeypatch: Any) -> None:
    """Masks that are a function of their shape alone are the same for both, in whatever order."""

    def mask(count: int, p: float, dtype: torch.dtype) -> torch.Tensor:
        generator = torch.Generator().manual_seed(count)
        return ((torch.rand(count, generator=generator) >= p) / (1 - p)).to(dtype)

    monkeypatch.setattr("bertft.encoder.dropout.Draws.mask", lambda _, *given: mask(*given))
    plain = made(dropout=0.3)
    fused = copy.deepcopy(plain)
    use_fused_layers(fused)
    expected = passed(plain, first=first)
    assert furthest(passed(fused, first=first), expected) < 1e-5
    whole = made(dropout=0.0)
    assert furthest(passed(whole, first=first), expected) > 0.1  # it does drop


def test_dropout_is_drawn_from_the_seed_of_the_step() -> None:
    model = made()
    use_fused_layers(model)
    one, same, other = (passed(model, seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_bfloat16_is_as_exact_as_autocast() -> None:
    """Of gradients in float32 both are off by the roundings of bfloat16: ours by no more."""
    plain = made(dropout=0.0)
    exact = passed(plain)
    use_half_states(plain)
    fused = copy.deepcopy(plain)
    use_fused_layers(fused)
    theirs, ours = (passed(one, dtype=torch.bfloat16) for one in (plain, fused))
    assert ours[0].dtype == torch.bfloat16
    assert {one.dtype for one in ours[1:]} == {torch.float32}
    distance = [
        sum(float((a.float() - b).square().sum()) for a, b in zip(side, exact, strict=True))
        for side in (theirs, ours)
    ]
    assert 0 < distance[1] < 1.2 * distance[0]


def test_activations_computed_again_give_the_same_gradients() -> None:
    model = made()
    use_fused_layers(model)
    expected = passed(model)
    model.activation_checkpointing_enable({"use_reentrant": False})
    assert furthest(passed(model), expected) == 0


def test_what_fills_the_row_up_is_seen_by_nothing() -> None:
    model = made()
    use_fused_layers(model)
    _, of_states, *_ = passed(model)
    assert float(of_states[:, : sum(LENGTHS)].abs().min(dim=-1)[0].max()) > 0
    assert float(of_states[:, sum(LENGTHS) :].abs().max()) == 0


def test_without_gradients_and_padded_a_layer_is_what_it_was() -> None:
    plain = made()
    fused = copy.deepcopy(plain)
    use_fused_layers(fused)
    ids = torch.randint(50, (2, 9))
    for model in (plain, fused):
        model.set_attn_implementation("sdpa")
    for mode in (True, False):
        torch.manual_seed(0)
        expected = plain.train(mode)(ids).last_hidden_state
        torch.manual_seed(0)
        assert torch.equal(fused.train(mode)(ids).last_hidden_state, expected)


class TestLayersThatStay:
    @pytest.mark.parametrize(
        "settings",
        [{"hidden_act": "gelu_new"}, {"hidden_act": "relu"}],
        ids=str,
    )
    def test_those_that_compute_something_else(self, settings: dict[str, Any]) -> None:
        assert use_fused_layers(made(**settings)) == 0

    def test_frozen_ones(self) -> None:
        model = made()
        layers_of(model)[0].requires_grad_(False)
        assert use_fused_layers(model) == 1

    def test_those_with_a_frozen_part(self) -> None:
        model = made()
        for layer in layers_of(model):
            layer.output.dense.bias.requires_grad = False
        assert use_fused_layers(model) == 0

    def test_those_that_a_trial_shows_to_differ(self) -> None:
        model = made()
        layer: Any = layers_of(model)[0]
        layer.register_module("more", torch.nn.Linear(2, 2))
        plain = layer.forward
        layer.forward = lambda states, *rest, **more: plain(states, *rest, **more) * 1.01
        assert use_fused_layers(model) == 0

    def test_total_dropout_is_torch_s(self) -> None:
        model = made(dropout=1.0)
        use_fused_layers(model)
        assert bool(torch.isfinite(passed(model)[0]).all())
