"""Products in bfloat16 on a CPU whose weights are cast and laid out once, not in each pass.

Under autocast torch casts the weights of a linear layer anew in each forward pass, and oneDNN then
copies them into the layout of its kernels: for a few texts both cost more than the product. Here
both are done once. Only passes without gradients take that way; the layers keep their float32
weights, and with gradients, or without autocast, they are what they were. Results are those of
autocast but for a last bit here and there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def prepack(model: nn.Module) -> bool:
    """Let the linear layers of a model use weights that are packed; whether this torch can.

    The weights must not change any more.
    """
    layers = [one for one in model.modules() if type(one) is nn.Linear]
    try:
        packed = [Prepacked(one) for one in layers]
        if not (packed and _is_right(packed[0])):
            return False
    except (AttributeError, RuntimeError):  # operators of torch's own compiler: not a public API
        return False
    for layer, forward in zip(layers, packed, strict=True):
        layer.forward = forward  # type: ignore[method-assign, assignment]
    return True


class Prepacked:
    """What a linear layer computes: [..., in] -> [..., out]."""

    def __init__(self, layer: nn.Linear) -> None:
        self._layer = layer
        operators: Any = torch.ops.mkldnn
        self._product = operators._linear_pointwise
        weight = layer.weight.detach().to(torch.bfloat16)
        self._weight = operators._reorder_linear_weight(weight)
        bias = layer.bias
        self._bias = None if bias is None else bias.detach().to(torch.bfloat16)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() or not casts():
            return functional.linear(rows, self._layer.weight, self._layer.bias)
        given = rows.to(torch.bfloat16)
        found: torch.Tensor = self._product(given, self._weight, self._bias, "none", [], "")
        return found


def casts() -> bool:
    """Whether products on the CPU are asked for in bfloat16."""
    wanted = torch.get_autocast_dtype("cpu") == torch.bfloat16
    return wanted and torch.is_autocast_enabled("cpu")


def _is_right(packed: Prepacked) -> bool:
    """Whether packed weights give what autocast gives, to a rounding of bfloat16."""
    layer = packed._layer
    rows = torch.linspace(-1, 1, 3 * layer.in_features).view(3, -1)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        expected, found = functional.linear(rows, layer.weight, layer.bias), packed(rows)
    close = torch.allclose(found.float(), expected.float(), rtol=2**-7, atol=1e-2)
    return close and found.dtype == expected.dtype
