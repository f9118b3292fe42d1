"""Fewer layers: those that are kept compute what they did, and transformers reads them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import make_tiny
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    AutoModelForTokenClassification,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from bertft.encoder.cut import cut_layers, kept_layers
from bertft.errors import ModelError

DISTILBERT = {"dim": 32, "n_layers": 4, "n_heads": 2, "hidden_dim": 64, "vocab_size": 200}
SIZES = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 64, "vocab_size": 200, "pad_token_id": 0}
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}


@pytest.mark.parametrize(
    ("layers", "depth", "kept"),
    [
        (6, 12, (1, 3, 5, 8, 10, 12)),
        (3, 6, (1, 3, 6)),
        (1, 6, (1,)),
        (6, 6, (1, 2, 3, 4, 5, 6)),
        ([1, 2, 6], 6, (1, 2, 6)),
    ],
)
def test_which_are_kept(layers: Any, depth: int, kept: tuple[int, ...]) -> None:
    assert kept_layers(layers, depth=depth, name="x") == kept


@pytest.mark.parametrize("layers", [7, [0, 1], [1, 7], [2, 1], [1, 1]])
def test_layers_that_are_not_there_are_told(layers: Any) -> None:
    with pytest.raises(ModelError, match="x has 6 layers"):
        kept_layers(layers, depth=6, name="x")


def test_what_is_left_is_a_plain_model(tmp_path: Path) -> None:
    folder = make_tiny(tmp_path, positions=64, config={"num_hidden_layers": 4})
    model = BertForTokenClassification.from_pretrained(folder).eval()
    ids = torch.tensor([[2, 7, 9, 3]])
    with torch.inference_mode():
        states = model.bert.embeddings(ids)
        for number in (0, 3):
            states = model.bert.encoder.layer[number](states)
            states = states[0] if isinstance(states, tuple) else states
        expected = model.classifier(states)
        cut_layers(model, [1, 4], name="x")
        assert torch.allclose(model(ids).logits, expected)
        model.save_pretrained(tmp_path / "cut")
        again = AutoModelForTokenClassification.from_pretrained(tmp_path / "cut").eval()
        assert again.config.num_hidden_layers == 2
        assert torch.equal(again(ids).logits, model(ids).logits)


def test_other_kinds(tmp_path: Path) -> None:
    distil = DistilBertForSequenceClassification(DistilBertConfig(**DISTILBERT))
    cut_layers(distil, 2, name="x")
    assert (len(distil.distilbert.transformer.layer), distil.config.n_layers) == (2, 2)
    modern = ModernBertForSequenceClassification(ModernBertConfig(**SIZES, **SPECIAL))
    kinds = list(modern.config.layer_types)
    cut_layers(modern, [1, 3], name="x")
    assert modern.config.layer_types == [kinds[0], kinds[2]]
    with pytest.raises(ModelError, match="another model without these layers"):
        cut_layers(modern, [2], name="x")  # its first layer has no norm of its own
    albert = AlbertForSequenceClassification(AlbertConfig(**SIZES, embedding_size=16))
    with pytest.raises(ModelError, match="the layers of x are not known here"):
        cut_layers(albert, 2, name="x")
