"""Attention over packed sequences with its gradients written out, for layers of one operation.

The same as attention.py, which autograd differentiates: here nothing is recorded, copied or kept
but what the gradients read. Runs per group of sequences of similar length, padded inside the group.

Shape legend: T tokens of the row, H hidden width, h heads, d width of a head, Q tokens that attend:
T, or B where first tokens alone do (last_layer.py); of a group b sequences, L longest, n tokens, q
tokens of a sequence that attend: L or 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from bertft.encoder.attention import SHORTEST, Group, Packing
from bertft.encoder.dropout import Draws


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of h = ``heads`` heads over T = ``tokens`` of H = ``width``, in groups.

    ``rows`` [T, 3 H] hold queries, keys and values of all tokens; where ``first_only``, keys and
    values [T, 2 H], and ``queries`` [B, H] are apart. Tokens of no group fill the row up.
    ``masks`` are what dropout multiplies the weights of each group with, flat; None where it drops
    nothing. Queries are scaled already.
    """

    packing: Packing
    heads: int
    tokens: int
    width: int
    dtype: torch.dtype
    first_only: bool
    drops: bool

    def masks(self, draws: Draws, p: float) -> list[torch.Tensor]:
        """What dropout of probability ``p`` multiplies the weights of each group with, flat."""
        attending = [1 if self.first_only else group.length for group in self.packing.groups]
        return [
            draws.mask(group.size * self.heads * each * group.length, p, self._kind(group))
            for group, each in zip(self.packing.groups, attending, strict=True)
        ]

    def _kind(self, group: Group) -> torch.dtype:
        return torch.float32 if group.length <= SHORTEST else self.dtype

    def forward(
        self,
        rows: torch.Tensor,
        queries: torch.Tensor | None,
        masks: Sequence[torch.Tensor] | None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(answers [Q, H], what ``backward`` reads)."""
        answers = rows.new_zeros(self.tokens if queries is None else len(queries), self.width)
        kept: list[torch.Tensor] = []
        for index, group, own in self._groups():
            kind = self._kind(group)
            parts = self._heads(_padded(rows[group.start : group.end], group), group.length, kind)
            if queries is not None:
                kept += self._heads(queries[own], 1, kind)
            query = parts[0] if queries is None else kept[-1]
            key, value = parts[-2:]
            scores = torch.bmm(query, key.transpose(1, 2))  # [b h, q, L]
            if group.mask is not None:
                each = scores.view(group.size, self.heads, -1, group.length)
                each.add_(_far_below(group.mask, scores.dtype))  # a third of masked_fill_'s time
            weights = scores.softmax(dim=-1)
            used = weights
            if masks is not None:
                used = weights * masks[index].view_as(weights)
            self._join(torch.bmm(used, value)[None], group, answers[own])
            kept += [parts, weights] if masks is None else [parts, weights, masks[index]]
        return answers, kept

    def backward(
        self,
        gradient: torch.Tensor,
        kept: Sequence[torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Gradient of the answers [Q, H] -> those of ``rows`` and of ``queries``."""
        of_rows = gradient.new_zeros(self.tokens, (2 if self.first_only else 3) * self.width)
        of_queries = torch.empty_like(gradient) if self.first_only else None
        left = iter(kept)
        for _, group, own in self._groups():
            first = next(left) if self.first_only else None
            parts, weights = next(left), next(left)
            query, (key, value) = parts[0] if first is None else first, parts[-2:]
            back = gradient[own]
            if not self.first_only and group.real is not None:  # nothing comes from padding
                padded = back.new_zeros(group.size * group.length, back.shape[1])
                back = padded.index_copy_(0, group.real, back)
            length = 1 if self.first_only else group.length
            (back,) = self._heads(back, length, weights.dtype)  # [b h, q, d]
            inner, used = torch.bmm(back, value.transpose(1, 2)), weights  # [b h, q, L]
            if self.drops:
                mask = next(left).view_as(weights)
                inner.mul_(mask)
                used = weights * mask
            scores = torch._softmax_backward_data(inner, weights, -1, weights.dtype)
            learned = torch.empty_like(parts)
            torch.bmm(scores.transpose(1, 2), query, out=learned[-2])
            torch.bmm(used.transpose(1, 2), back, out=learned[-1])
            if of_queries is None:
                torch.bmm(scores, key, out=learned[0])
            else:
                self._join(torch.bmm(scores, key)[None], group, of_queries[own])
            self._join(learned, group, of_rows[group.start : group.end])
        return of_rows, of_queries

    def _groups(self) -> Iterator[tuple[int, Group, slice]]:
        """Each group, and which of the attending tokens are its own."""
        begin = 0
        for index, group in enumerate(self.packing.groups):
            end = begin + (group.size if self.first_only else group.end - group.start)
            yield index, group, slice(begin, end)
            begin = end

    def _heads(self, rows: torch.Tensor, length: int, kind: torch.dtype) -> torch.Tensor:
        """Rows [b L, k H] -> [k, b h, L, d] of another kind."""
        each = self.width // self.heads
        parts = rows.view(-1, length, rows.shape[1] // self.width, self.heads, each)
        parts = parts.permute(2, 0, 3, 1, 4)
        return torch.empty(parts.shape, dtype=kind).copy_(parts).view(len(parts), -1, length, each)

    def _join(self, parts: torch.Tensor, group: Group, rows: torch.Tensor) -> None:
        """Write [k, b h, L, d] of a group into the ``rows`` [n, k H] of its tokens; or q for L."""
        count, _, length, each = parts.shape
        parts = parts.view(count, group.size, self.heads, length, each).permute(1, 3, 0, 2, 4)
        if group.real is None or length != group.length:
            rows.view(parts.shape).copy_(parts)
        else:
            padded = torch.empty(parts.shape, dtype=rows.dtype).copy_(parts)
            torch.index_select(padded.view(-1, rows.shape[1]), 0, group.real, out=rows)


def _padded(rows: torch.Tensor, group: Group) -> torch.Tensor:
    """Rows [n, k H] of a group -> [b L, k H]; some token stands where there is none."""
    return rows if group.gather is None else rows.index_select(0, group.gather)


def _far_below(mask: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """What to add to the products of a group: 0 for real tokens, else the least number."""
    return torch.zeros(mask.shape, dtype=kind).masked_fill_(~mask, torch.finfo(kind).min)
