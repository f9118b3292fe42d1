"""Attention over packed sequences: many texts in one row of tokens, none of which sees another.

Linear layers, LayerNorm and GELU run on the real tokens only; attention runs per group of sequences
of similar length, padded inside the group. Registered with transformers under NAME; the groups
reach ``packed_attention`` as the extra model argument ``packing``.

A GPU takes the same groups through SDPA. torch's kernel for rows of many lengths is not used
(torch.nn.attention.varlen, 2.13): it drops no attention weights, so that BERT would train otherwise
than padded; it takes half precision only, while the trial that chooses packing compares in float32.

Shape legend: B sequences and T tokens of the row, H hidden width, h heads, d width of a head, Q
tokens that attend: T, or B where first tokens alone do (last_layer.py); of a group b sequences, L
longest. Where attention is local, each token sees w others on each side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from bertft.encoder.dropout import FastDropout

NAME = "bertft_packed"

SHORTEST = 32
"""Longest sequences whose attention learns in float32 on a CPU: products as small as theirs gain
nothing by bfloat16, whose kernels are made anew for each shape."""
SHORT = 48
"""Longest sequences that plain products answer faster on a CPU than SDPA's kernel does."""

LONG = 1024
"""Longest sequences that plain products train faster on a CPU than SDPA's kernel does."""
BLOCKS = 3
"""Sequences of more windows than this are answered in blocks where attention is local."""

Drop = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring sequences of similar length: tokens ``start`` to ``end`` of the row. L is a
    multiple of 16 where the row is to be learned from, else the length of the longest.

    ``gather`` [b * L] takes the group's tokens to padded places, ``real`` [tokens] takes them back,
    ``mask`` [b, 1, 1, L] is True at real tokens. All three are None when the lengths are equal.
    """

    start: int
    end: int
    size: int
    length: int
    gather: torch.Tensor | None = None
    real: torch.Tensor | None = None
    mask: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Packing:
    """Where the sequences of a row are: first token of each [B], and the attention groups.

    ``states`` [1, T, H] are those of all tokens, in a layer that was given the first tokens alone.
    """

    starts: torch.Tensor
    groups: tuple[Group, ...]
    states: torch.Tensor | None = None

    def real(self, states: torch.Tensor) -> torch.Tensor:
        """States [1, T, H] of a row without what fills it up; those of first tokens as they are."""
        return states[:, : self.groups[-1].end]

    def to(self, device: torch.device) -> Packing:
        if device.type == "cpu":
            return self
        groups = tuple(_moved(group, device) for group in self.groups)
        return Packing(self.starts.to(device), groups)


def _moved(group: Group, device: torch.device) -> Group:
    if group.gather is None or group.real is None or group.mask is None:
        return group
    return replace(
        group,
        gather=group.gather.to(device),
        real=group.real.to(device),
        mask=group.mask.to(device),
    )


def plan_groups(lengths: Sequence[int], *, learns: bool = False) -> Packing:
    """Groups for sequences whose lengths ascend. Where the row ``learns`` they have lengths for
    which kernels are there and fast: texts drawn at random are of many, those answered in order of
    their lengths are not.
    """
    starts = [0, *accumulate(lengths)]
    groups, first = [], 0
    for index in range(1, len(lengths) + 1):
        if index == len(lengths) or _most(lengths[index]) > _most(lengths[first]):
            own = lengths[first:index]
            length = _rounded(own[-1]) if learns else own[-1]
            groups.append(_group(own, starts[first], length=length))
            first = index
    return Packing(torch.tensor(starts[:-1]), tuple(groups))


def _most(length: int) -> int:
    """The longest that may share a group with ``length``: 16, 32, 64, 96, 128, 192, 256, 384 ..."""
    octave = max(16, 1 << (length - 1).bit_length())
    middle = octave // 4 * 3
    return middle if octave > 64 and length <= middle else octave


def _rounded(length: int) -> int:
    """Length of a group: softmax of rows that are no multiple of the processor's vectors takes up
    to eight times as long, and a product costs most where its shape is new."""
    step = 16 if length <= 32 else 32
    return -(-length // step) * step


def _group(lengths: Sequence[int], start: int, *, length: int) -> Group:
    sizes, end = torch.tensor(lengths), start + sum(lengths)  # [b]
    if lengths[0] == length:
        return Group(start, end, len(lengths), length)
    mask = torch.arange(length) < sizes[:, None]  # [b, L]
    real = mask.flatten().nonzero().flatten()  # [tokens]
    gather = torch.zeros(mask.numel(), dtype=torch.int64)  # [b * L]
    gather[real] = torch.arange(len(real))
    return Group(start, end, len(lengths), length, gather, real, mask[:, None, None, :])


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **extra: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention signature: query, key, value [1, h, T, d] -> [1, T, h, d].

    Where ``packing.states`` are given, query is [1, h, B, d] and the answer [1, B, h, d]; keys and
    values are made from the states, and those of the arguments count for nothing.

    (``**extra`` is theirs: it carries ``packing`` and whatever else a model passes on.)
    """
    packing: Packing = extra["packing"]
    window = extra.get("sliding_window")
    side = None if window is None else window - 1  # theirs counts the token itself, too
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    drop = getattr(module, "dropout", None)
    if not isinstance(drop, FastDropout):
        drop = partial(functional.dropout, p=dropout)
    if key.shape[1] < query.shape[1]:  # several heads share their keys and values
        shared = query.shape[1] // key.shape[1]
        key, value = (one.repeat_interleave(shared, dim=1) for one in (key, value))
    q, k, v = (one.transpose(1, 2)[0] for one in (query, key, value))  # [T, h, d]
    tokens = [group.end - group.start for group in packing.groups]
    attending = tokens
    if packing.states is not None:
        k, v = (one.view(-1, *q.shape[1:]) for one in keys_and_values(module, packing.states))
        attending = [group.size for group in packing.groups]
    # The gradients of parts that are split off are put together once, those of slices added up.
    sizes = ((q, attending), (k, tokens), (v, tokens))
    parts = [torch.split(one, [*counts, len(one) - sum(counts)]) for one, counts in sizes]
    mixed = [
        _attend(*group_and_rows, scale=scale, side=side, dropout=dropout, drop=drop)
        for group_and_rows in zip(packing.groups, *parts, strict=False)
    ]
    rest = parts[0][-1]  # tokens that only fill the row up
    return torch.cat([*mixed, rest])[None], None  # [1, Q, h, d]


KEY_VALUE = (("key", "value"), ("k_lin", "v_lin"))
"""What encoders call the linear layers of keys and values: BERT's descendants, DistilBERT."""


def keys_and_values(module: Any, states: torch.Tensor) -> list[torch.Tensor]:
    """Keys and values [1, T, h * d] of an attention module. AttributeError where it has none."""
    key, value = next(names for names in KEY_VALUE if hasattr(module, names[0]))
    return [getattr(module, key)(states), getattr(module, value)(states)]


def _attend(
    group: Group,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scale: float,
    side: int | None,
    dropout: float,
    drop: Drop,
) -> torch.Tensor:
    """Attention of one group: key, value [tokens, h, d], query of as many or [b, h, d] -> as query.

    ``side`` is how many tokens on each side one sees, None for all. ``drop`` is the dropout of the
    attention weights, of probability ``dropout``.
    """
    first_only = len(query) == group.size
    own = [key, value] if first_only else [key, value, query]
    if group.gather is not None:
        own = [one.index_select(0, group.gather) for one in own]
    k, v, q = (
        one.reshape(group.size, -1, *query.shape[1:]).transpose(1, 2)  # [b, h, L, d]
        for one in ([*own, query] if first_only else own)
    )
    mask = group.mask
    in_blocks = side is not None and group.length > BLOCKS * side
    if side is not None and side + 1 < group.length and not in_blocks:
        mask = _near(group.length, side, mask, device=q.device)
    learns = torch.is_grad_enabled()
    by_products = learns and (dropout > 0 or group.length <= LONG)
    if side is not None and in_blocks:
        drops = drop if dropout else None
        mixed = _attend_near(q, k, v, mask, side=side, scale=scale, drop=drops)
    elif q.device.type == "cpu" and (by_products or group.length <= SHORT):
        # torch 2.13 on CPU: SDPA takes its fast kernel only without dropout; that kernel's backward
        # is slower than plain products up to LONG tokens, its forward below SHORT tokens.
        kind = torch.float32 if learns and group.length <= SHORTEST else v.dtype
        q, k, v = (one.to(kind).reshape(-1, *one.shape[2:]) for one in (q, k, v))  # [b * h, L, d]
        scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(scale)  # [b * h, L, L]
        if mask is not None:
            each = scores.view(group.size, -1, *scores.shape[1:])  # [b, h, L, L]
            each.masked_fill_(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1).to(v.dtype)
        mixed = torch.bmm(drop(weights) if dropout else weights, v)
        mixed = mixed.view(group.size, -1, *mixed.shape[1:])  # [b, h, L, d]
    else:
        mixed = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, scale=scale
        )
    flat = mixed.transpose(1, 2).to(query.dtype).reshape(-1, *query.shape[1:])  # [b * L, h, d]
    return flat if group.real is None or first_only else flat.index_select(0, group.real)


def _near(
    length: int, side: int, real: torch.Tensor | None, *, device: torch.device
) -> torch.Tensor:
    """[b or 1, 1, L, L] True where a token sees another; padding sees itself, lest it be NaN."""
    place = torch.arange(length, device=device)
    apart = (place[:, None] - place).abs()  # [L, L]
    near = (apart <= side)[None, None]
    return near if real is None else near & (real | (apart == 0))


def _attend_near(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    real: torch.Tensor | None,
    *,
    side: int,
    scale: float,
    drop: Drop | None,
) -> torch.Tensor:
    """Local attention [b, h, L, d] in blocks of w tokens, which see their own and two neighbours.

    Costs 3 w products for a token in the place of L (as in Longformer: Beltagy et al. 2020, 3.1).
    """
    size, heads, length, width = q.shape
    count = -(-length // side)
    end = count * side - length
    blocks = functional.pad(q, (0, 0, 0, end)).view(size, heads, count, side, width)
    around = [  # [b, h, n, d, 3 w]
        functional.pad(one, (0, 0, side, end + side)).unfold(2, 3 * side, side) for one in (k, v)
    ]
    scores = torch.matmul(blocks, around[0]).float().mul_(scale)  # [b, h, n, w, 3 w]
    there = torch.ones(1, 1, 1, length, dtype=torch.bool, device=q.device) if real is None else real
    there = functional.pad(there, (side, end + side)).unfold(3, 3 * side, side)  # [b, 1, 1, n, 3 w]
    place = torch.arange(3 * side, device=q.device)
    apart = (place[side : 2 * side, None] - place).abs()  # [w, 3 w]
    seen = (apart <= side) & (there.transpose(2, 3) | (apart == 0))  # [b, 1, n, w, 3 w]
    weights = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(dim=-1).to(v.dtype)
    if drop is not None:
        weights = drop(weights)
    mixed = torch.matmul(weights, around[1].transpose(-1, -2))  # [b, h, n, w, d]
    return mixed.reshape(size, heads, count * side, width)[:, :, :length]


def _no_mask(*arguments: Any, **settings: Any) -> None:
    """Packed rows need no mask; without this entry transformers would not ask for one at all."""


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, _no_mask)
