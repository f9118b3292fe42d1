"""The last layer where it is read: first tokens go through it alone when a head reads nothing else.

Their query, attention output and feed-forward part are all that reaches such a head; keys and
values are those of all tokens. Packed rows only: the layer is called with the first tokens, and its
attention finds the states of all in ``packing`` (attention.py). Logits and gradients are those of
the whole layer to rounding. Dropout keeps its law: what is drawn in this layer is smaller masks,
from the same seeds, so that all other masks of a step are those of the whole layer.

Shape legend: B sequences, T tokens of all, H hidden width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel


def read_first_tokens(model: PreTrainedModel) -> RemovableHandle | None:
    """Let the last layer compute first tokens alone; None where the layers are not found.

    A trial has to show that the logits stay: some architectures treat keys in ways of their own.
    """
    layers = layers_of(model)
    if layers is None:
        return None
    return layers[-1].register_forward_pre_hook(_first_tokens, with_kwargs=True)


def layers_of(model: PreTrainedModel) -> nn.ModuleList | None:
    """The layers of the encoder, lowest first; None where they are not found (ALBERT's share their
    weights)."""
    depth = getattr(model.config, "num_hidden_layers", 0)
    for module in model.base_model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return module
    return None


def _first_tokens(module: Any, arguments: Any, settings: dict[str, Any]) -> Any:
    """Forward pre-hook: states of all tokens [1, T, H] -> those of first tokens [1, B, H]."""
    packing = settings.get("packing")
    if packing is None:
        return None
    states, *rest = arguments
    first = states[0].index_select(0, packing.starts)[None]  # [1, B, H]
    return (first, *rest), {**settings, "packing": replace(packing, states=states)}
