"""A model that shows its inside: one window in, attention weights or scores of embeddings out.

Shape legend: L tokens of a window, H width of embeddings, n layers, N inputs at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from bertft.contracts import Encoded, FloatArray
from bertft.errors import ModelError
from bertft.inside.attribution import Score

SAME = 1e-3
"""Largest difference of logits from embeddings and from ids that counts as rounding."""

Read = Callable[[Any], torch.Tensor]
"""A model's output for N inputs of one length -> a number for each [N]."""


def show_inside(model: PreTrainedModel) -> PreTrainedModel:
    """The model set up to give its attention, which only the eager implementation does."""
    model.set_attn_implementation("eager")
    model.train(False)
    model.requires_grad_(False)
    return model


def read_attention(model: PreTrainedModel, one: Encoded) -> FloatArray:
    """Attention weights [n, heads, L, L] of one window: rows attend to columns.

    Raises:
        ModelError: an architecture without softmax attention between all tokens.
    """
    with torch.no_grad():
        output = model(**_inputs(model, one), output_attentions=True)
    layers = output.attentions
    if not layers or any(layer is None or layer.shape[-1] != len(one) for layer in layers):
        raise ModelError(f"a model of type '{model.config.model_type}' does not tell its attention")
    return np.asarray(torch.cat(layers).float().cpu().numpy())


def embedding_score(model: PreTrainedModel, one: Encoded, read: Read) -> Score:
    """The model as a function of the embeddings of a window's tokens.

    Positions, token types and length stay those of the window.

    Raises:
        ModelError: the model gives other answers for embeddings than for the tokens themselves.
    """
    fixed = _inputs(model, one)
    ids = fixed.pop("input_ids")

    def score(embeddings: torch.Tensor) -> torch.Tensor:
        rows = {name: row.expand(len(embeddings), -1) for name, row in fixed.items()}
        return read(model(inputs_embeds=embeddings, **rows))

    with torch.no_grad():
        due = float(read(model(input_ids=ids, **fixed))[0])
        found = float(score(model.get_input_embeddings()(ids))[0])
    if not abs(due - found) <= SAME * max(1.0, abs(due)):
        kind = model.config.model_type
        raise ModelError(f"a model of type '{kind}' gives other answers for embeddings")
    return score


def _inputs(model: PreTrainedModel, one: Encoded) -> dict[str, torch.Tensor]:
    """Keyword arguments of the model for one window [1, L]."""
    rows = {"input_ids": list(one.input_ids), "attention_mask": [1] * len(one)}
    if one.token_type_ids:
        rows["token_type_ids"] = list(one.token_type_ids)
    return {name: torch.tensor([row], device=model.device) for name, row in rows.items()}
