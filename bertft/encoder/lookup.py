"""Word embeddings whose gradient costs what a batch touches, not what the vocabulary holds.

torch makes a dense gradient of the whole table, fresh and zeroed, in every step: 47 MB for MiniLM,
which costs more in page faults than the gradient itself. Here one gradient stays allocated; a step
adds to the rows of its tokens, and the next step zeroes those rows again. Optimizer and clipping
see the same dense gradient as before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

LARGE = 4096
"""Rows from which a table is worth it."""


class Lookup(nn.Module):
    """``nn.Embedding`` on a CPU with a gradient that stays allocated."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.weight = table.weight
        self.num_embeddings, self.embedding_dim = table.num_embeddings, table.embedding_dim
        self.padding_idx = table.padding_idx
        self._gradient: torch.Tensor | None = None
        self._touched: list[torch.Tensor] = []

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if not (torch.is_grad_enabled() and self.weight.requires_grad):
            return nn.functional.embedding(ids, self.weight)
        found: torch.Tensor = _Rows.apply(self.weight, ids, self)  # type: ignore[no-untyped-call]
        return found

    def begin(self) -> None:
        """Before an optimizer step: forget the gradient of the last one."""
        for ids in self._touched:
            assert self._gradient is not None
            self._gradient.index_fill_(0, ids, 0.0)
        self._touched = []

    def add(self, ids: torch.Tensor, gradient: torch.Tensor) -> None:
        """Add the gradients [n, H] of rows ``ids`` [n]."""
        if self._gradient is None:
            self._gradient = torch.zeros_like(self.weight)
        self._gradient.index_add_(0, ids, gradient.to(self._gradient.dtype))
        if self.padding_idx is not None:
            self._gradient[self.padding_idx] = 0.0
        self._touched.append(ids)
        self.weight.grad = self._gradient

    def rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows that this step has touched: their ids [n], each once, and gradients [n, H]."""
        assert self._gradient is not None
        ids: torch.Tensor = torch.unique(torch.cat(self._touched))
        return ids, self._gradient.index_select(0, ids)

    def replace(self, parts: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Make the gradient the mean of several, each given as ``rows`` gives it, in their order.

        The mean is what data-parallel training makes of all other gradients.
        """
        self.begin()
        for ids, gradient in parts:
            self.add(ids, gradient / len(parts))


class _Rows(torch.autograd.Function):
    """Rows of a table; their gradients go to ``Lookup.add``."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, ids: torch.Tensor, owner: Lookup) -> torch.Tensor:
        ctx.ids, ctx.owner = ids, owner
        return nn.functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, None, None]:  # type: ignore[override, unused-ignore]
        ctx.owner.add(ctx.ids.flatten(), gradient.reshape(-1, gradient.shape[-1]))
        return None, None, None


def use_lookups(model: nn.Module) -> list[Lookup]:
    """Replace every large trainable ``nn.Embedding`` that stands alone (weights that are tied to a
    second layer get a gradient from there too, which torch adds up itself)."""
    users: dict[int, int] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            users[id(parameter)] = users.get(id(parameter), 0) + 1
    made = []
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if (
                type(child) is nn.Embedding
                and child.num_embeddings >= LARGE
                and child.weight.requires_grad
                and users[id(child.weight)] == 1
                and not (child.max_norm or child.scale_grad_by_freq or child.sparse)
            ):
                made.append(Lookup(child))
                setattr(parent, name, made[-1])
    return made
