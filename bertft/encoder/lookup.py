"""Word embeddings whose gradient is that of the rows a batch touches, not of the vocabulary.

torch makes a dense gradient of the whole table, fresh and zeroed, in every step: 47 MB for MiniLM,
read again by clipping and by the optimizer. Here the gradient of a step is a few hundred rows, and
``weight.grad`` stays None. Who clips and who learns takes ``rows`` (training/rows.py).

Shape legend: n rows that a step touches, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

LARGE = 4096
"""Rows from which a table is worth it."""
WIDTH = 16
"""What the width has to be a multiple of: torch's kernels handle as many numbers at once, and round
the rest of a row in another way."""


class Lookup(nn.Module):
    """``nn.Embedding`` on a CPU with a gradient of rows."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.weight = table.weight
        self.num_embeddings, self.embedding_dim = table.num_embeddings, table.embedding_dim
        self.padding_idx = table.padding_idx
        self.before_reading: Callable[[torch.Tensor], None] | None = None
        """Called with ids before their rows are read."""
        self._parts: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._rows: tuple[torch.Tensor, torch.Tensor] | None = None

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if self.before_reading is not None:
            self.before_reading(ids)
        if not (torch.is_grad_enabled() and self.weight.requires_grad):
            return nn.functional.embedding(ids, self.weight)
        found: torch.Tensor = _Rows.apply(self.weight, ids, self)  # type: ignore[no-untyped-call]
        return found

    def begin(self) -> None:
        """Before an optimizer step: forget the gradient of the last one."""
        self._parts, self._rows = [], None

    def add(self, ids: torch.Tensor, gradient: torch.Tensor) -> None:
        """Add the gradients [n, H] of rows ``ids`` [n], of which some may be the same."""
        self._parts.append((ids, gradient.to(self.weight.dtype)))
        self._rows = None

    def rows(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows that this step has touched: their ids [n], each once, and a copy of the rows [n, H],
        whose ``grad`` is the gradient."""
        if self._rows is None:
            none = torch.zeros(0, dtype=torch.int64)
            given = torch.cat([none, *(ids for ids, _ in self._parts)])
            ids, places = torch.unique(given, return_inverse=True)
            if self.before_reading is not None:
                self.before_reading(ids)  # other processes may have touched rows that this has not
            rows = self.weight.detach().index_select(0, ids)
            gradient = torch.zeros_like(rows)
            parts = torch.cat([rows[:0], *(one for _, one in self._parts)])
            gradient.index_add_(0, places, parts)
            if self.padding_idx is not None:
                gradient.masked_fill_((ids == self.padding_idx)[:, None], 0.0)
            rows.grad = gradient
            self._rows = ids, rows
        return self._rows

    def replace(self, parts: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
        """Make the gradient the mean of several, each given as ids [n] and gradients [n, H], in
        their order.

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
                and child.embedding_dim % WIDTH == 0
                and users[id(child.weight)] == 1
                and not (child.max_norm or child.scale_grad_by_freq or child.sparse)
            ):
                made.append(Lookup(child))
                setattr(parent, name, made[-1])
    return made
