"""Which layers of a model learn as one operation each (fused_layer.py): those that are as BERT's.

While a model learns from packed rows on a CPU; without gradients, and where sequences are longer
than plain products are good for, a layer is what it was. So is one that is built otherwise, has
adapters, or computes something else in a trial.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.activations import GELUActivation

from bertft.encoder.attention import LONG, Packing, plan_groups
from bertft.encoder.dropout import Draws
from bertft.encoder.fused_layer import Layer, Setting
from bertft.encoder.last_layer import layers_of
from bertft.encoder.prepacked import casts

SAME = 1e-4
"""Largest difference of float32 states and gradients of a trial that counts as rounding, as a share
of the largest number of a tensor, or of 1."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The modules of a layer that is as BERT's: six products, two LayerNorms, three dropouts."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    answer: nn.Linear
    norm: nn.LayerNorm
    wide: nn.Linear
    narrow: nn.Linear
    last_norm: nn.LayerNorm
    heads: int
    scale: float
    drop_weights: Any
    drop_answer: Any
    drop_last: Any

    @classmethod
    def of(cls, layer: Any) -> Parts | None:
        """None where the layer is built otherwise, or adapters stand in for its products."""
        try:
            inner, answer = layer.attention.self, layer.attention.output
            found = cls(
                inner.query,
                inner.key,
                inner.value,
                answer.dense,
                answer.LayerNorm,
                layer.intermediate.dense,
                layer.output.dense,
                layer.output.LayerNorm,
                inner.num_attention_heads,
                inner.scaling,
                inner.dropout,
                answer.dropout,
                layer.output.dropout,
            )
            act = layer.intermediate.intermediate_act_fn
        except AttributeError:
            return None
        right = all(type(one) is nn.Linear and one.bias is not None for one in found.products())
        norms = all(type(one) is nn.LayerNorm for one in (found.norm, found.last_norm))
        return found if type(act) is GELUActivation and right and norms else None

    def products(self) -> list[nn.Linear]:
        return [self.query, self.key, self.value, self.answer, self.wide, self.narrow]

    def dropout(self) -> tuple[float, float, float]:
        """Probabilities: of the attention weights, of what attention answers, of the last sum."""
        return self.drop_weights.p, self.drop_answer.p, self.drop_last.p

    def parameters(self) -> list[nn.Parameter]:
        """Weight and bias of each product, then of each LayerNorm."""
        modules: list[Any] = [*self.products(), self.norm, self.last_norm]
        return [one for module in modules for one in (module.weight, module.bias)]


class Fused:
    """A layer's ``forward`` while it learns from packed rows; else ``plain``, which it had."""

    def __init__(self, layer: Any, parts: Parts) -> None:
        self.parts, self.plain = parts, layer.forward
        self._layer = layer
        self._draws = Draws()

    def __call__(self, states: torch.Tensor, *arguments: Any, **settings: Any) -> torch.Tensor:
        packing, dropout = settings.get("packing"), self.parts.dropout()
        learns = self._layer.training and torch.is_grad_enabled()
        if packing is None or not learns or packing.groups[-1].length > LONG or max(dropout) >= 1:
            plain: torch.Tensor = self.plain(states, *arguments, **settings)
            return plain
        return self.compute(states, packing, dropout=dropout)

    def compute(
        self, states: torch.Tensor, packing: Packing, *, dropout: tuple[float, float, float]
    ) -> torch.Tensor:
        """States [1, Q, H] that come in -> those that go out."""
        parts = self.parts
        setting = Setting(
            packing,
            parts.heads,
            (parts.norm.eps, parts.last_norm.eps),
            dropout,
            self._draws if any(dropout) else None,
            torch.bfloat16 if casts() else torch.float32,
            parts.scale,
        )
        every, first = states[0], None
        if packing.states is not None:
            every, first = packing.states[0], states[0]
        apply: Any = Layer.apply  # torch 2.13 leaves this method untyped
        found: torch.Tensor = apply(every, first, setting, *parts.parameters())
        return found[None]


def use_fused_layers(model: PreTrainedModel) -> int:
    """Let the layers of a model that learns from packed rows be one operation each; how many are.

    Those that stay as they are: frozen ones, and all where the first that learns computes something
    else in a trial.
    """
    chosen = []
    for layer in layers_of(model) or ():
        parts = Parts.of(layer)
        if parts is not None and all(one.requires_grad for one in parts.parameters()):
            chosen.append((layer, Fused(layer, parts)))
    if not chosen or not _is_right(*chosen[0]):
        return 0
    for layer, fused in chosen:
        layer.forward = fused
    return len(chosen)


def _is_right(layer: Any, fused: Fused) -> bool:
    """Whether states and gradients are those of the layer, of all tokens and of first ones."""
    parameters = fused.parts.parameters()
    packing = plan_groups([3, 4, 4, 7], learns=True)
    generator = torch.Generator().manual_seed(0)
    width = parameters[0].shape[1]
    every = torch.randn(1, 18, width, generator=generator).requires_grad_()
    first = every[:, packing.starts]
    was_training = layer.training
    layer.eval()
    try:
        for states, own in ((every, packing), (first, replace(packing, states=every))):
            sides = [
                fused.plain(states, None, packing=own),
                fused.compute(states, own, dropout=(0.0, 0.0, 0.0)),
            ]
            pull = torch.randn(sides[0].shape, generator=generator)
            learned = [
                torch.autograd.grad(side, [every, *parameters], pull, retain_graph=True)
                for side in sides
            ]
            pairs = zip([sides[0], *learned[0]], [sides[1], *learned[1]], strict=True)
            if not all(_same(one.detach(), other.detach()) for one, other in pairs):
                return False
    except Exception:  # an architecture of its own may fail in any way
        return False
    finally:
        layer.train(was_training)
    return True


def _same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return float((found - expected).abs().max()) <= SAME * max(1.0, float(expected.abs().max()))
