"""AdamW's groups, layer-wise rates and the schedule, against torch and transformers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    get_linear_schedule_with_warmup,
)

from bertft.errors import ModelError
from bertft.settings import TrainingSettings
from bertft.training.optimizer import (
    depth_of,
    freeze_encoder,
    freeze_layers,
    make_optimizer,
    rate_share,
    set_learning_rate,
)

RATE = 1e-3
SHAPE = {
    "vocab_size": 40, "hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 16, "pad_token_id": 0,
}  # fmt: skip
DISTIL = {
    "vocab_size": 40, "dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 16,
    "max_position_embeddings": 16, "pad_token_id": 0,
}  # fmt: skip


@pytest.fixture
def model(tiny: Path) -> PreTrainedModel:
    torch.manual_seed(1)
    return AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=3)


def rates_of(model: PreTrainedModel, optimizer: Any, key: str = "lr") -> dict[str, float]:
    """Parameter name -> a setting of its group. Every parameter is in one group at most."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    pairs = [(names[id(p)], g[key]) for g in optimizer.param_groups for p in g["params"]]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def test_biases_and_layer_norms_do_not_decay(model: PreTrainedModel) -> None:
    optimizer = make_optimizer(model, TrainingSettings(weight_decay=0.1), fused=False)
    decays = rates_of(model, optimizer, "weight_decay")
    assert set(decays) == {name for name, _ in model.named_parameters()}
    for name, decay in decays.items():
        spared = name.endswith(".bias") or "LayerNorm" in name
        assert decay == (0.0 if spared else 0.1), name


def test_adam_settings_reach_torch(model: PreTrainedModel) -> None:
    recipe = TrainingSettings(adam_betas=(0.8, 0.95), adam_epsilon=1e-6, learning_rate=RATE)
    for group in make_optimizer(model, recipe, fused=False).param_groups:
        assert (group["betas"], group["eps"], group["lr"]) == ((0.8, 0.95), 1e-6, RATE)


def test_rates_fall_by_layer_from_the_head_down(model: PreTrainedModel) -> None:
    recipe = TrainingSettings(learning_rate=RATE, layer_decay=0.5)
    rates = rates_of(model, make_optimizer(model, recipe, fused=False))
    expected = {
        "bert.embeddings.": RATE / 8,
        "bert.encoder.layer.0.": RATE / 4,
        "bert.encoder.layer.1.": RATE / 2,
        "bert.pooler.": RATE,
        "classifier.": RATE,
    }
    for name, rate in rates.items():
        (prefix,) = [prefix for prefix in expected if name.startswith(prefix)]
        assert rate == pytest.approx(expected[prefix]), name
    assert {name.split(".weight")[0].split(".bias")[0] for name in rates} >= {"classifier"}


@pytest.mark.parametrize(
    ("family", "shape", "top"),
    [
        ("Roberta", SHAPE, "classifier."),
        ("Electra", {**SHAPE, "embedding_size": 4}, "classifier."),
        ("DistilBert", DISTIL, "pre_classifier."),
        ("ModernBert", SHAPE, "head."),
    ],
)
def test_layers_of_other_families_are_found(family: str, shape: dict[str, Any], top: str) -> None:
    """Embeddings learn slowest, each layer faster than the one below it, the head at full rate."""
    config = getattr(transformers, f"{family}Config")(**shape)
    model = getattr(transformers, f"{family}ForSequenceClassification")(config)
    assert depth_of(model) == 3
    recipe = TrainingSettings(learning_rate=RATE, layer_decay=0.5)
    rates = rates_of(model, make_optimizer(model, recipe, fused=False))
    for layer in range(3):
        inside = {rate for name, rate in rates.items() if f".{layer}." in name}
        assert inside == {RATE / 2 ** (3 - layer)}
    embeddings = {rate for name, rate in rates.items() if ".embeddings." in name}
    assert embeddings == {RATE / 16}
    assert {rate for name, rate in rates.items() if name.startswith(top)} == {RATE}


def test_a_final_norm_is_above_the_layers() -> None:
    config = transformers.ModernBertConfig(**SHAPE)
    model = transformers.ModernBertForSequenceClassification(config)
    recipe = TrainingSettings(learning_rate=RATE, layer_decay=0.5)
    rates = rates_of(model, make_optimizer(model, recipe, fused=False))
    assert rates["model.final_norm.weight"] >= RATE / 2


def test_a_frozen_encoder_leaves_pooler_and_classifier(model: PreTrainedModel) -> None:
    freeze_encoder(model)
    optimizer = make_optimizer(model, TrainingSettings(), fused=False)
    assert set(rates_of(model, optimizer)) == {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    }


def test_a_frozen_encoder_does_not_move(model: PreTrainedModel) -> None:
    freeze_encoder(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = make_optimizer(model, TrainingSettings(learning_rate=0.1), fused=False)
    model(torch.tensor([[2, 7, 8, 3]]), labels=torch.tensor([1])).loss.backward()
    optimizer.step()
    moved = {name for name, tensor in model.state_dict().items() if not before[name].equal(tensor)}
    assert {name.removesuffix("weight").removesuffix("bias") for name in moved} == {
        "bert.pooler.dense.",
        "classifier.",
    }


@pytest.mark.parametrize("count", [0, 1, 2])
def test_frozen_layers_leave_the_gradients_above_as_they_are(tiny: Path, count: int) -> None:
    """Nothing is computed back through them, and what is above learns the very same."""
    torch.manual_seed(1)
    whole = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=3).train(False)
    part = copy.deepcopy(whole)
    freeze_layers(part, count)
    optimizer = make_optimizer(part, TrainingSettings(), fused=False)
    for one in (whole, part):
        one(torch.tensor([[2, 7, 8, 3]]), labels=torch.tensor([1])).loss.backward()
    frozen = {"bert.embeddings.", *(f"bert.encoder.layer.{layer}." for layer in range(count))}
    expected = dict(whole.named_parameters())
    for name, parameter in part.named_parameters():
        if any(name.startswith(prefix) for prefix in frozen):
            assert parameter.grad is None, name
        else:
            assert torch.equal(parameter.grad, expected[name].grad), name
    assert len(rates_of(part, optimizer)) == sum(p.requires_grad for p in part.parameters())


def test_frozen_layers_drop_nothing(model: PreTrainedModel) -> None:
    freeze_layers(model, 1)
    model.train()
    ids = torch.tensor([[2, 7, 8, 9, 3]])
    pairs = zip(
        *(model(ids, output_hidden_states=True).hidden_states for _ in range(2)), strict=True
    )
    assert [torch.equal(*pair) for pair in pairs] == [True, True, False]


def test_more_layers_than_there_are_cannot_be_frozen(model: PreTrainedModel) -> None:
    with pytest.raises(ModelError, match="layers:3: the encoder has 2 layers; at most layers:2"):
        freeze_layers(model, 3)
    shared = transformers.AlbertForSequenceClassification(transformers.AlbertConfig(**SHAPE))
    with pytest.raises(ModelError, match="no layers of their own"):
        freeze_layers(shared, 1)


STEPS = st.integers(1, 500)
WARMUP = st.floats(0, 1, exclude_max=True)


def shares(total: int, warmup: float, schedule: str) -> list[float]:
    return [
        rate_share(step, total=total, warmup=warmup, schedule=schedule) for step in range(total)
    ]


@settings(deadline=None)
@given(STEPS, WARMUP, st.sampled_from(["linear", "constant"]))
def test_shares_are_positive_and_reach_the_peak(total: int, warmup: float, schedule: str) -> None:
    found = shares(total, warmup, schedule)
    assert all(0 < share <= 1 for share in found)
    assert max(found) == 1


@settings(deadline=None)
@given(STEPS, WARMUP)
def test_a_constant_schedule_rises_and_stays(total: int, warmup: float) -> None:
    found = shares(total, warmup, "constant")
    rising = int(warmup * total)
    assert found[:rising] == [(step + 1) / rising for step in range(rising)]
    assert found[rising:] == [1.0] * (total - rising)


@settings(deadline=None)
@given(STEPS, WARMUP)
def test_the_linear_schedule_is_that_of_transformers(total: int, warmup: float) -> None:
    """While rising ours(s) = theirs(s + 1), since our first step has a rate; after it, equal."""
    rising = int(warmup * total)
    plain = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(plain, rising, total).lr_lambdas[0]
    for step, share in enumerate(shares(total, warmup, "linear")):
        assert share == pytest.approx(theirs(step + 1 if step < rising else step), rel=1e-12)


def test_the_rate_ends_at_zero_after_the_last_step() -> None:
    assert rate_share(10, total=10, warmup=0.1, schedule="linear") == 0
    assert shares(4, 0.5, "linear") == [0.5, 1.0, 1.0, 0.5]


def test_every_group_gets_its_share_of_its_own_peak(model: PreTrainedModel) -> None:
    recipe = TrainingSettings(learning_rate=RATE, layer_decay=0.5)
    optimizer = make_optimizer(model, recipe, fused=False)
    before = rates_of(model, optimizer)
    assert set_learning_rate(optimizer, 0.5) == pytest.approx(RATE / 2)
    assert set_learning_rate(optimizer, 0.25) == pytest.approx(RATE / 4)
    after = rates_of(model, optimizer)
    assert after == {name: pytest.approx(rate / 4) for name, rate in before.items()}


def steps_of(parameters: Iterable[torch.nn.Parameter], optimizer: Any, steps: int) -> None:
    generator = torch.Generator().manual_seed(5)
    everything = list(parameters)
    for _ in range(steps):
        for parameter in everything:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


@pytest.mark.parametrize("fused", [False, True])
def test_steps_equal_those_of_torch(tiny: Path, fused: bool) -> None:
    """Three steps move every weight as a plain AdamW with two hand-made groups does."""
    ours, theirs = (AutoModelForSequenceClassification.from_pretrained(tiny) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    recipe = TrainingSettings(learning_rate=0.01, weight_decay=0.1)
    steps_of(ours.parameters(), make_optimizer(ours, recipe, fused=fused), 3)
    named = list(theirs.named_parameters())
    spared = [p for name, p in named if name.endswith("bias") or "LayerNorm" in name]
    others = [p for name, p in named if not (name.endswith("bias") or "LayerNorm" in name)]
    groups = [{"params": spared, "weight_decay": 0.0}, {"params": others, "weight_decay": 0.1}]
    steps_of(theirs.parameters(), torch.optim.AdamW(groups, lr=0.01), 3)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, msg=name)
