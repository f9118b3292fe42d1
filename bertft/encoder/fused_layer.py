"""A layer of BERT as one operation of autograd, with its gradients written out.

In a training step much is not products: each of a layer's sixty small operations is recorded, cast
by autocast, given memory and played back. Here a layer is one operation. Queries, keys and values
are one product, gradients are added up by the products that make them, and nothing is kept for
backward but what it reads. What is computed is the layer as transformers has it (Devlin et al.
2019): attention, LayerNorm over the sum with what came in, GELU between two products, LayerNorm
over the sum again.

Packed rows on a CPU only. Products are in bfloat16 where asked for; weights, their gradients and
the statistics of LayerNorm are float32.

Shape legend: T tokens of the row, Q of them have an output (T; or B, where first tokens go through
the layer alone: last_layer.py), H hidden width, F width inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable

from bertft.encoder.attention import Packing
from bertft.encoder.dropout import Draws
from bertft.encoder.fused_attention import Attention


@dataclass(frozen=True, slots=True)
class Setting:
    """What a pass through a layer needs beside tensors; ``draws`` is None where nothing drops."""

    packing: Packing
    heads: int
    epsilons: tuple[float, float]
    dropout: tuple[float, float, float]
    draws: Draws | None
    dtype: torch.dtype
    scale: float
    """Of the products of queries and keys."""


class Kept(NamedTuple):
    """What the gradients read, beside what attention has kept; the masks where something drops."""

    every: torch.Tensor  # [T, H], as it came in
    came: torch.Tensor  # [Q, H]
    answers: torch.Tensor  # [Q, H], of attention
    summed: torch.Tensor  # [Q, H], answers after their product, dropout and sum
    mean: torch.Tensor
    deviation: torch.Tensor
    normed: torch.Tensor  # [Q, H]
    inner: torch.Tensor  # [Q, F]
    active: torch.Tensor  # [Q, F], after GELU
    last_summed: torch.Tensor  # [Q, H]
    last_mean: torch.Tensor
    last_deviation: torch.Tensor
    mask: torch.Tensor | None
    last_mask: torch.Tensor | None
    w_rows: torch.Tensor  # [3 H, H]
    w_answer: torch.Tensor
    w_wide: torch.Tensor
    w_narrow: torch.Tensor
    norm: torch.Tensor
    norm_bias: torch.Tensor
    last_norm: torch.Tensor
    last_norm_bias: torch.Tensor


class Layer(torch.autograd.Function):
    """States of all tokens [T, H], those of first tokens [B, H] or None -> [Q, H].

    The parameters are weight and bias of queries, keys, values, attention's answers, the wide and
    the narrow product, then of both LayerNorms.
    """

    @staticmethod
    def forward(
        context: Any,
        every: torch.Tensor,
        first: torch.Tensor | None,
        setting: Setting,
        *parameters: torch.Tensor,
    ) -> torch.Tensor:
        attention = Attention(
            setting.packing,
            setting.heads,
            len(every),
            every.shape[1],
            setting.dtype,
            first_only=first is not None,
            drops=setting.dropout[0] > 0,
        )
        with torch.autocast("cpu", enabled=False):
            found, fixed, more = _forward(every, first, setting, attention, parameters)
        context.attention, context.scale = attention, setting.scale
        context.save_for_backward(*fixed, *more)
        return found

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        count = len(Kept._fields)
        fixed, more = Kept(*context.saved_tensors[:count]), context.saved_tensors[count:]
        with torch.autocast("cpu", enabled=False):
            return _backward(
                gradient.contiguous(),
                fixed,
                more,
                context.attention,
                scale=context.scale,
                goes_on=context.needs_input_grad[0],
            )


def _forward(
    every: torch.Tensor,
    first: torch.Tensor | None,
    setting: Setting,
    attention: Attention,
    parameters: Sequence[torch.Tensor],
) -> tuple[torch.Tensor, Kept, list[torch.Tensor]]:
    """(states that go out [Q, H], what the gradients read, what those of attention read)."""
    dtype, width = setting.dtype, attention.width
    every = every.to(dtype)
    came = every if first is None else first.to(dtype)
    weight_masks, mask, last_mask = _drawn(setting, attention, came)
    w_rows, b_rows = _one_product(parameters[:6], dtype, scale=setting.scale)
    w_answer, b_answer, w_wide, b_wide, w_narrow, b_narrow = (p.to(dtype) for p in parameters[6:12])
    norm, norm_bias, last_norm, last_norm_bias = parameters[12:]
    queries, begin = None, 0
    if first is not None:
        queries, begin = torch.addmm(b_rows[:width], came, w_rows[:width].t()), width
    rows = torch.addmm(b_rows[begin:], every, w_rows[begin:].t())  # [T, 3 H or 2 H]
    answers, more = attention.forward(rows, queries, weight_masks)  # [Q, H]
    summed = _summed(torch.addmm(b_answer, answers, w_answer.t()), mask, came)
    normed, mean, deviation = torch.native_layer_norm(
        summed, [width], norm, norm_bias, setting.epsilons[0]
    )
    inner = torch.addmm(b_wide, normed, w_wide.t())
    active = torch.nn.functional.gelu(inner)
    last_summed = _summed(torch.addmm(b_narrow, active, w_narrow.t()), last_mask, normed)
    found, last_mean, last_deviation = torch.native_layer_norm(
        last_summed, [width], last_norm, last_norm_bias, setting.epsilons[1]
    )
    kept = Kept(
        every=every,
        came=came,
        answers=answers,
        normed=normed,
        inner=inner,
        active=active,
        w_rows=w_rows,
        w_answer=w_answer,
        w_wide=w_wide,
        w_narrow=w_narrow,
        mask=mask,
        last_mask=last_mask,
        summed=summed,
        mean=mean,
        deviation=deviation,
        norm=norm,
        norm_bias=norm_bias,
        last_summed=last_summed,
        last_mean=last_mean,
        last_deviation=last_deviation,
        last_norm=last_norm,
        last_norm_bias=last_norm_bias,
    )
    return found, kept, more


def _backward(
    gradient: torch.Tensor,
    kept: Kept,
    more: Sequence[torch.Tensor],
    attention: Attention,
    *,
    scale: float,
    goes_on: bool,
) -> tuple[torch.Tensor | None, ...]:
    """Gradients of what ``Layer.forward`` takes; of the states only where it ``goes_on`` there."""
    width = attention.width
    layer_norm = partial(torch.ops.aten.native_layer_norm_backward, output_mask=[True] * 3)
    last_sum, *of_last_norm = layer_norm(
        gradient,
        kept.last_summed,
        [width],
        kept.last_mean,
        kept.last_deviation,
        kept.last_norm,
        kept.last_norm_bias,
    )
    of_narrow = _masked(last_sum, kept.last_mask)
    of_wide = torch.ops.aten.gelu_backward(of_narrow @ kept.w_narrow, kept.inner)  # [Q, F]
    first_sum, *of_norm = layer_norm(
        torch.addmm(last_sum, of_wide, kept.w_wide),
        kept.summed,
        [width],
        kept.mean,
        kept.deviation,
        kept.norm,
        kept.norm_bias,
    )
    of_answer = _masked(first_sum, kept.mask)
    of_rows, of_queries = attention.backward(of_answer @ kept.w_answer, more)
    of_every = of_first = None
    if of_queries is None:
        weights, biases = (one.chunk(3) for one in _learned(of_rows, kept.every))
        if goes_on:
            of_every = torch.addmm(first_sum, of_rows, kept.w_rows)
    else:
        pairs = zip(_learned(of_queries, kept.came), _learned(of_rows, kept.every), strict=True)
        weights, biases = ((one, *others.chunk(2)) for one, others in pairs)
        if goes_on:
            of_every = of_rows @ kept.w_rows[width:]
            of_first = torch.addmm(first_sum, of_queries, kept.w_rows[:width])
    for one in (weights[0], biases[0]):  # of the queries, which were scaled
        one.mul_(scale)
    return (
        of_every,
        of_first,
        None,
        *chain.from_iterable(zip(weights, biases, strict=True)),
        *_learned(of_answer, kept.answers),
        *_learned(of_wide, kept.normed),
        *_learned(of_narrow, kept.active),
        *of_norm,
        *of_last_norm,
    )


def _one_product(
    parameters: Sequence[torch.Tensor], dtype: torch.dtype, *, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and biases of queries, keys and values -> those of one product [3 H, H], [3 H].

    The queries are scaled here, which spares scaling each attention weight.
    """
    query, query_bias, key, key_bias, value, value_bias = parameters
    weights = torch.cat([(query * scale).to(dtype), key.to(dtype), value.to(dtype)])
    biases = torch.cat([query_bias * scale, key_bias, value_bias])
    return weights, biases.to(dtype)


def _drawn(
    setting: Setting, attention: Attention, came: torch.Tensor
) -> tuple[list[torch.Tensor] | None, torch.Tensor | None, torch.Tensor | None]:
    """Masks of dropout: of the weights of each group, of attention's answers, of the last sum."""
    of_weights, of_answers, of_last = setting.dropout
    draws, dtype = setting.draws, setting.dtype
    if draws is None:
        return None, None, None
    draws.seed()
    weights = attention.masks(draws, of_weights) if of_weights else None
    masks = [
        draws.mask(came.numel(), p, dtype).view_as(came) if p else None
        for p in (of_answers, of_last)
    ]
    return weights, masks[0], masks[1]


def _summed(states: torch.Tensor, mask: torch.Tensor | None, came: torch.Tensor) -> torch.Tensor:
    """``states``, which change in place, after dropout and the sum with what came in."""
    if mask is not None:
        states.mul_(mask)
    return states.add_(came)


def _learned(gradient: torch.Tensor, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients in float32 of weight and bias of a product, from that of what it gives [n, out]."""
    return (gradient.t() @ inputs).float(), gradient.sum(0).float()


def _masked(gradient: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return gradient if mask is None else gradient * mask
