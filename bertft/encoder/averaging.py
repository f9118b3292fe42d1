"""The mean of all tokens as plain transformers computes it: one more layer on a BERT-like encoder.

The head of such a model reads the first token, and nothing in its configuration can change that. So
the mean is brought there by a layer of the encoder's own class, with weights that are set, not
learned: queries and keys of 0 attend to all tokens alike, values of 1 pass them on as they are, and
a feed-forward part of 0 leaves the result alone. What the first token holds then is

    LayerNorm(SCALE * mean + first) ~ LayerNorm(mean)

Where a pooler was never trained for what a head needs (sentence encoders trained on the mean), this
carries far more of the text than the first token does: benchmarks/features.py.

Shape legend: B sequences, L length, H hidden width.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

SCALE = 256.0
"""What the mean is multiplied by beside the first token's own state, which the layer adds to it."""
NEAR = 0.1
"""Largest difference of a trial from the mean's LayerNorm, whose values have a deviation of 1."""


def add_averaging(model: PreTrainedModel) -> bool:
    """Put the layer on the encoder; False, and nothing has changed, where it takes none.

    A trial decides, not a list of architectures.
    """
    encoder: Any = getattr(model.base_model, "encoder", None)
    layers = getattr(encoder, "layer", None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(model.config, "num_hidden_layers"):
        return False
    was_training = model.training
    model.train(False)
    before = _states(model)  # [B, L, H]
    try:
        # The copy shares the configuration, through which attention functions are chosen.
        layer = copy.deepcopy(layers[-1], {id(model.config): model.config})
        _set_weights(layer)
    except (AttributeError, RuntimeError):  # parts of another name or shape
        model.train(was_training)
        return False
    layers.append(layer)
    model.config.num_hidden_layers += 1
    mean = functional.layer_norm(before.mean(dim=1), before.shape[-1:])  # [B, H]
    is_mean = float((_states(model)[:, 0] - mean).abs().max()) < NEAR
    if not is_mean:
        del layers[-1]
        model.config.num_hidden_layers -= 1
    model.train(was_training)
    return is_mean


def _set_weights(layer: Any) -> None:
    """AttributeError or RuntimeError where the layer is not built as BERT's."""
    attention, mixed = layer.attention.self, layer.attention.output
    with torch.no_grad():
        for linear in (attention.query, attention.key, layer.intermediate.dense):
            linear.weight.zero_()
        for linear, factor in ((attention.value, 1.0), (mixed.dense, SCALE)):
            linear.weight.copy_(factor * torch.eye(len(linear.weight)))
        layer.output.dense.weight.zero_()
        parts = (attention, mixed, layer.intermediate, layer.output)
        for linear in (one for part in parts for one in part.modules() if type(one) is nn.Linear):
            linear.bias.zero_()
        for norm in (mixed.LayerNorm, layer.output.LayerNorm):
            norm.weight.fill_(1.0)
            norm.bias.zero_()


def _states(model: PreTrainedModel) -> torch.Tensor:
    """Last hidden states [B, L, H] of two random texts."""
    generator = torch.Generator().manual_seed(0)
    most = min(int(model.config.vocab_size), 2000)
    ids = torch.randint(most, (2, 8), generator=generator).to(model.device)
    with torch.inference_mode():
        states: torch.Tensor = model.base_model(input_ids=ids).last_hidden_state
    return states.float()
