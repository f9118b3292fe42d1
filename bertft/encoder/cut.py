"""Fewer layers: an encoder in, the same one without some of its layers out, as a plain model.

What is left keeps its weights, and so does all around it: embeddings, pooler, head. A student that
begins as every other layer of its teacher learns in far fewer steps than a fresh one (Sanh et al.
2019, DistilBERT; Sajjad et al. 2023, On the effect of dropping layers, compare which to keep).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from bertft.encoder.last_layer import layers_of
from bertft.errors import ModelError

Layers = int | Sequence[int]
"""How many, evenly spread; or which ones, from 1. 0 is all of them."""


def kept_layers(layers: Layers, *, depth: int, name: str) -> tuple[int, ...]:
    """Numbers, from 1, of the layers that are kept of ``depth``: the first and the last, and others
    at even distances (6 of 12: 1, 3, 5, 8, 10, 12, as DistilBERT's).

    Raises:
        ModelError: the encoder ``name`` has no such layers.
    """
    chosen = layers if isinstance(layers, Sequence) else ()
    if isinstance(layers, int) and 0 < layers <= depth:
        steps = max(1, layers - 1)
        chosen = [1 + round(place * (depth - 1) / steps) for place in range(layers)]
    fits = list(chosen) == sorted(set(chosen)) and all(1 <= one <= depth for one in chosen)
    if chosen and fits:
        return tuple(chosen)
    shown = layers if isinstance(layers, int) else list(layers)
    what = f"model.layers = {shown}: {name} has {depth} layers"
    if not depth:
        raise ModelError(f"model.layers = {shown}: the layers of {name} are not known here")
    raise ModelError(what, hint=f"a number up to {depth}, or some of 1 to {depth} in their order")


def cut_layers(model: PreTrainedModel, layers: Layers, *, name: str) -> None:
    """Keep some layers of the encoder alone.

    Raises:
        ModelError: it has no such layers, or would not be read back without them as it is now.
    """
    found = layers_of(model)
    kept = kept_layers(layers, depth=0 if found is None else len(found), name=name)
    assert found is not None
    left = [found[number - 1] for number in kept]
    del found[:]
    found.extend(left)
    config: Any = model.config
    if kinds := getattr(config, "layer_types", None):  # ModernBERT: which ones attend to all
        config.layer_types = [kinds[number - 1] for number in kept]
    config.num_hidden_layers = len(kept)
    with torch.device("meta"):  # names and shapes alone
        again: nn.Module = type(model)(config)
    shapes = [{key: one.shape for key, one in m.state_dict().items()} for m in (model, again)]
    if shapes[0] != shapes[1]:
        what = f"model.layers: {name} is another model without these layers"
        raise ModelError(what, hint="keep layer 1, or choose another encoder")
