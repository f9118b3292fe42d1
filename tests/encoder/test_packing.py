"""Packed batches compute what padded ones do: logits, loss, gradients, the law of dropout."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from bertft.contracts import Encoded
from bertft.encoder.attention import packed_attention, plan_groups
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer, Padder, choose_batcher
from bertft.heads.sequence import SequenceHead

HEAD = SequenceHead(("a", "b", "c"))
LENGTHS = [3, 17, 4, 30, 9, 9, 12, 40, 5]


def encoded(*, vocabulary: int = 90, types: bool = True) -> list[Encoded]:
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(5, vocabulary, (n,), generator=generator).tolist() for n in LENGTHS]
    return [
        Encoded(row, [0] * len(row) if types else [], i, target=i % 3) for i, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def pair(tiny: Path) -> tuple[PreTrainedModel, PreTrainedModel, Packer, Padder]:
    """The same tiny model twice, one set up for packed rows."""
    torch.manual_seed(0)
    padded = HEAD.build(tiny)
    packed = copy.deepcopy(padded)
    tokenizer = load_tokenizer(tiny)
    packer = choose_batcher(packed, tokenizer, head=HEAD)
    assert isinstance(packer, Packer)
    assert tokenizer.pad_token_id is not None
    return padded, packed, packer, Padder(tokenizer.pad_token_id, 0)


def loss_and_gradients(
    model: PreTrainedModel, batcher: Any, *, types: bool = True
) -> tuple[float, list[torch.Tensor]]:
    batch = batcher(encoded(types=types), range(len(LENGTHS)), head=HEAD)
    model.zero_grad()
    loss = HEAD.loss(model(**batch.inputs), batch.targets)
    loss.backward()
    return float(loss.detach()), [p.grad.clone() for p in model.parameters() if p.grad is not None]


def logits_by_example(model: PreTrainedModel, batcher: Any) -> torch.Tensor:
    batch = batcher(encoded(), range(len(LENGTHS)), head=None)
    with torch.inference_mode():
        rows = HEAD.split(model(**batch.inputs), batch)
    found = dict(zip(batch.encoded, rows, strict=True))
    return torch.stack([torch.from_numpy(found[i]) for i in range(len(LENGTHS))])


def test_logits_are_equal(pair: Any) -> None:
    padded, packed, packer, padder = pair
    difference = logits_by_example(padded.eval(), padder) - logits_by_example(packed.eval(), packer)
    assert float(difference.abs().max()) < 1e-6


def test_loss_and_gradients_are_equal_without_dropout(pair: Any) -> None:
    padded, packed, packer, padder = pair
    expected, gradients = loss_and_gradients(padded.eval(), padder)
    found, packed_gradients = loss_and_gradients(packed.eval(), packer)
    assert found == pytest.approx(expected, abs=1e-5)
    for one, other in zip(gradients, packed_gradients, strict=True):
        assert float((one - other).abs().max()) < 1e-5


def test_dropout_is_on_in_training_and_unbiased(pair: Any) -> None:
    """Attention dropout keeps each weight with probability 1 - p, scaled by 1 / (1 - p)."""
    torch.manual_seed(3)
    width, rate = 8, 0.25
    packing = plan_groups([4, 6])
    same = torch.ones(1, 2, 10, width, requires_grad=True)  # equal weights, value 1 everywhere
    draws = torch.cat(
        [
            packed_attention(
                torch.nn.Module(), same, same, same, None, dropout=rate, packing=packing
            )[0].detach()
            for _ in range(800)
        ]
    )
    assert float(draws.std()) > 0
    assert float(draws.mean()) == pytest.approx(1.0, abs=0.01)
    # Of 4 equal weights, each kept weight adds 1 / 4 / 0.75: the sums are multiples of a third.
    first = draws[:, :4, :, 0] * 3
    assert torch.allclose(first, first.round(), atol=1e-4)
    kept = float(first.mean()) / 4
    assert kept == pytest.approx(1 - rate, abs=0.01)


def test_a_text_never_sees_its_neighbours(pair: Any) -> None:
    _, packed, packer, _ = pair
    packed.eval()
    all_together = logits_by_example(packed, packer)
    for index in range(len(LENGTHS)):
        batch = packer(encoded(), [index], head=None)
        with torch.inference_mode():
            (alone,) = HEAD.split(packed(**batch.inputs), batch)
        assert float((all_together[index] - torch.from_numpy(alone)).abs().max()) < 1e-5


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
@settings(deadline=None)
def test_groups_cover_the_row_once(lengths: list[int]) -> None:
    lengths = sorted(lengths)
    packing = plan_groups(lengths)
    assert [group.start for group in packing.groups] == [
        0,
        *(group.end for group in packing.groups[:-1]),
    ]
    assert packing.groups[-1].end == sum(lengths)
    assert sum(group.size for group in packing.groups) == len(lengths)
    assert packing.starts.tolist() == [sum(lengths[:i]) for i in range(len(lengths))]
    for group in packing.groups:
        if group.real is not None:
            assert len(group.real) == group.end - group.start


def modern(kind: str, *, window: int = 0, **settings: Any) -> PreTrainedModel:
    """A tiny model with rotary positions; with a ``window`` the second layer attends locally."""
    special = {f"{name}_token_id": number for number, name in enumerate(["pad", "bos", "eos"])}
    local = {"local_attention": window, "cls_token_id": 1, "sep_token_id": 2} if window else {}
    config = getattr(transformers, f"{kind}Config")(
        **SIZE, intermediate_size=64, vocab_size=90, **special, **local, **settings
    )
    model: PreTrainedModel = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    return model


SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 3}
MODELS = {
    "roberta": (
        lambda: RobertaForSequenceClassification(
            RobertaConfig(**SIZE, intermediate_size=64, vocab_size=90, pad_token_id=0)
        ),
        Packer(1, 0),
    ),
    "electra": (
        lambda: ElectraForSequenceClassification(
            ElectraConfig(**SIZE, intermediate_size=64, vocab_size=90, embedding_size=16)
        ),
        Packer(0, 0),
    ),
    "distilbert": (
        lambda: DistilBertForSequenceClassification(
            DistilBertConfig(
                dim=32, n_layers=2, n_heads=2, hidden_dim=64, vocab_size=90, num_labels=3
            )
        ),
        Packer(0, 0),
    ),
    # These compute something else on packed rows, without an error: the trial must see it.
    "albert": (
        lambda: AlbertForSequenceClassification(
            AlbertConfig(**SIZE, intermediate_size=64, vocab_size=90, embedding_size=16)
        ),
        None,
    ),
    "deberta": (
        lambda: DebertaV2ForSequenceClassification(
            DebertaV2Config(**SIZE, intermediate_size=64, vocab_size=90)
        ),
        None,
    ),
    "modernbert with local attention": (lambda: modern("ModernBert", window=16), Packer(0, 0)),
    "modernbert that reads the mean": (
        lambda: modern("ModernBert", window=4, classifier_pooling="mean"),
        Packer(0, 0),
    ),
    "eurobert with shared keys": (
        lambda: modern("EuroBert", num_key_value_heads=1, classifier_pooling="bos"),
        Packer(0, 0),
    ),
    "eurobert that reads logits": (lambda: modern("EuroBert", classifier_pooling="late"), None),
}


def trial_of(model: PreTrainedModel, tiny: Path) -> Any:
    """What the trial chooses for a model without segments."""
    tokenizer = load_tokenizer(tiny)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return choose_batcher(model, tokenizer, head=HEAD)


@pytest.mark.parametrize("name", MODELS)
def test_the_trial_packs_where_it_is_exact_and_pads_elsewhere(name: str, tiny: Path) -> None:
    build, expected = MODELS[name]
    torch.manual_seed(0)
    model = build().eval()
    rows = encoded(types=False)
    padder = Padder(0, 0)
    batch = padder(rows, range(len(rows)), head=None)
    with torch.inference_mode():
        before = model(**batch.inputs).logits
    batcher = trial_of(model, tiny)
    assert batcher == (expected or padder)
    batch = batcher(rows, range(len(rows)), head=None)
    with torch.inference_mode():
        after = model(**batch.inputs).logits
    ordered = torch.empty_like(after)
    ordered[batch.encoded] = after
    assert float((before - ordered).abs().max()) < 1e-5


@pytest.mark.parametrize("window", [4, 16, 40])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_local_attention_has_the_gradients_of_padded_rows(
    window: int, pooling: str, tiny: Path
) -> None:
    """Rows shorter than the window, masked ones, and those in blocks."""
    torch.manual_seed(3)
    padded = modern("ModernBert", window=window, classifier_pooling=pooling).eval()
    packed = copy.deepcopy(padded)
    batcher = trial_of(packed, tiny)
    assert batcher == Packer(0, 0)
    one, own = loss_and_gradients(padded, Padder(0, 0), types=False)
    other, theirs = loss_and_gradients(packed, batcher, types=False)
    assert one == pytest.approx(other, rel=1e-5)
    for ours, due in zip(own, theirs, strict=True):
        assert torch.isfinite(due).all()
        assert float((ours - due).abs().max()) < 1e-5
