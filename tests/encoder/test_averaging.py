"""The added layer gives the first token the mean of all tokens, in plain transformers too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import (
    AutoModelForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from bertft.encoder import averaging
from bertft.encoder.averaging import add_averaging
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer, choose_batcher, trial_logits, trial_texts
from bertft.heads.hidden import FirstStates
from bertft.heads.sequence import SequenceHead

HEAD = SequenceHead(("a", "b"))
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 64, "vocab_size": 200, "pad_token_id": 0}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "vocab_size": 200}
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}


def states(model: PreTrainedModel, **inputs: Any) -> torch.Tensor:
    model.eval()
    with torch.inference_mode():
        return model.base_model(**inputs).last_hidden_state


def assert_mean(first: torch.Tensor, tokens: torch.Tensor) -> None:
    """``first`` [H] is the LayerNorm of the mean of ``tokens`` [L, H]."""
    mean = functional.layer_norm(tokens.mean(dim=0), tokens.shape[-1:])
    assert float((first - mean).abs().max()) < 0.05


def test_padding_is_not_counted(tiny: Path) -> None:
    model = HEAD.build(tiny)
    ids = torch.tensor([[2, 7, 9, 3, 0, 0], [2, 7, 9, 11, 12, 3]])
    before = states(model, input_ids=ids, attention_mask=(ids != 0).long())
    assert add_averaging(model)
    after = states(model, input_ids=ids, attention_mask=(ids != 0).long())
    assert_mean(after[0, 0], before[0, :4])
    assert_mean(after[1, 0], before[1])


def test_packed_as_well(tiny: Path) -> None:
    tokenizer = load_tokenizer(tiny)
    plain, model = HEAD.build(tiny), HEAD.build(tiny)
    assert add_averaging(model)
    batcher = choose_batcher(model, tokenizer, head=HEAD)
    assert isinstance(batcher, Packer)
    trial = trial_texts(model, tokenizer)
    with torch.inference_mode():
        found = trial_logits(model.eval().base_model, batcher, trial, FirstStates())
    for one, first in zip(trial, found, strict=True):
        assert_mean(first, states(plain, input_ids=torch.tensor([one.input_ids]))[0])


def test_saved_and_loaded_by_transformers(tiny: Path, tmp_path: Path) -> None:
    model = HEAD.build(tiny)
    assert add_averaging(model)
    model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ids = torch.tensor([[2, 7, 9, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(again(ids).logits, model.eval()(ids).logits)


def test_a_trial_that_fails_leaves_the_encoder_as_it_was(tiny: Path, monkeypatch) -> None:
    model = HEAD.build(tiny)
    names, layers = set(model.state_dict()), model.config.num_hidden_layers
    monkeypatch.setattr(averaging, "NEAR", 0.0)
    assert not add_averaging(model)
    assert (set(model.state_dict()), model.config.num_hidden_layers) == (names, layers)


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        (lambda: RobertaForSequenceClassification(RobertaConfig(**SIZES)), True),
        (lambda: ElectraForSequenceClassification(ElectraConfig(**SIZES)), True),
        (lambda: DistilBertForSequenceClassification(DistilBertConfig(**DISTILBERT)), False),
        (
            lambda: ModernBertForSequenceClassification(ModernBertConfig(**SIZES, **SPECIAL)),
            False,
        ),
    ],
    ids=["roberta", "electra", "distilbert", "modernbert"],
)
def test_an_encoder_takes_it_or_stays_as_it_is(model, takes: bool) -> None:
    torch.manual_seed(0)
    built = model()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    before, layers = states(built, input_ids=ids), built.config.num_hidden_layers
    assert add_averaging(built) is takes
    after = states(built, input_ids=ids)
    assert built.config.num_hidden_layers == layers + takes
    if takes:
        assert_mean(after[0, 0], before[0])
    else:
        torch.testing.assert_close(after, before, rtol=0, atol=0)
