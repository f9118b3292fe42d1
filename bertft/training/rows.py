"""AdamW of an embedding table at the cost of the rows that are touched, exact to the last bit.

In torch's AdamW every row of a table moves in every step: those that have learned by their moments,
all others by weight decay alone. That is half of the optimizer's time for MiniLM, and most of a
whole step for a vocabulary of a hundred languages. Here a row takes the steps that it has missed
when it is read next, or when the table is saved: one after the other, by torch's own kernel, for a
block of rows that stays in the processor's cache meanwhile. Weights and moments are then bit for
bit what torch makes of them, and what is saved has the form that torch gives it.

Shape legend: V rows of the table, n of them, H hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bertft.encoder.lookup import Lookup

WAITING = 32
"""Steps after which all rows take those that they have missed."""
BLOCK = 2**15
"""Numbers of a block: with gradients and moments half a MiB."""
WIDER = 4
"""How much larger blocks without moments may be."""
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of AdamW; ``number`` [] counts from 1, as a tensor, which is what torch takes."""

    rate: float
    number: torch.Tensor
    settings: dict[str, Any]

    @classmethod
    def of(cls, group: dict[str, Any], number: torch.Tensor) -> Step:
        """The step that a group of parameters takes now."""
        beta1, beta2 = group["betas"]
        settings = {"beta1": beta1, "beta2": beta2, "eps": group["eps"]}
        settings |= {"weight_decay": group["weight_decay"], "amsgrad": False, "maximize": False}
        return cls(group["lr"], number.clone(), settings)

    def take(
        self, rows: torch.Tensor, gradient: torch.Tensor, moments: Sequence[torch.Tensor]
    ) -> None:
        """Move rows [n, H] and their two moments, in place."""
        first, second = moments
        torch._fused_adamw_(
            [rows], [gradient], [first], [second], [], [self.number], lr=self.rate, **self.settings
        )

    def decay(self, rows: torch.Tensor) -> None:
        """What ``take`` does to rows [n, H] that have neither a gradient nor moments."""
        rows.mul_(1 - self.rate * self.settings["weight_decay"])


class RowSteps:
    """Takes the steps of ``optimizer`` for the rows of ``table``, whose gradient torch never sees.

    It hangs on both: a row is up to date whenever the table reads it, all are when one of the two
    is asked for its state.
    """

    def __init__(self, table: Lookup, optimizer: torch.optim.AdamW) -> None:
        self._table, self._optimizer = table, optimizer
        self._waiting: list[Step] = []
        self._taken = torch.zeros(table.num_embeddings, dtype=torch.int64)
        """Of the waiting steps, how many each row has taken [V]."""
        self._learned = torch.zeros(table.num_embeddings, dtype=torch.bool)
        """Whether a row has moments [V]."""
        self._block = max(1, BLOCK // table.embedding_dim)
        self._still = torch.zeros(self._block, table.embedding_dim)
        table.before_reading = self._before_reading
        outer: Any = table  # torch 2.13 leaves this method untyped
        outer.register_state_dict_pre_hook(lambda *_: self.finish())
        optimizer.register_state_dict_pre_hook(lambda *_: self.finish())
        optimizer.register_load_state_dict_post_hook(lambda *_: self._loaded())
        optimizer.register_step_post_hook(lambda *_: self._step())

    @torch.no_grad()
    def finish(self) -> None:
        """Let all rows take the steps that they have missed."""
        if self._waiting:
            self._bring_up(torch.arange(len(self._taken)))
            self._waiting = []
            self._taken.zero_()

    @torch.no_grad()
    def _step(self) -> None:
        """After a step of the optimizer: take it for the rows that have a gradient."""
        ids, rows = self._table.rows()
        if not len(ids):
            return
        state = self._state()
        state["step"] += 1
        (group,) = (
            one
            for one in self._optimizer.param_groups
            if any(weight is self._table.weight for weight in one["params"])
        )
        step = Step.of(group, state["step"])
        moments = [state[name].index_select(0, ids) for name in MOMENTS]
        assert rows.grad is not None
        step.take(rows, rows.grad, moments)
        self._put_back(ids, rows, moments)
        self._waiting.append(step)
        self._taken[ids] = len(self._waiting)
        self._learned[ids] = True
        if len(self._waiting) == WAITING:
            self.finish()

    def _state(self) -> dict[str, torch.Tensor]:
        """The moments of the whole table, where torch keeps them and as it makes them."""
        weight = self._table.weight
        state: dict[str, torch.Tensor] = self._optimizer.state[weight]
        if not state:
            state["step"] = torch.tensor(0.0)
            state.update((name, torch.zeros_like(weight.detach())) for name in MOMENTS)
        return state

    def _loaded(self) -> None:
        """The optimizer has another state: its rows are up to date."""
        self._waiting = []
        self._taken.zero_()
        self._learned.zero_()
        state = self._optimizer.state.get(self._table.weight, {})
        for name in (one for one in MOMENTS if one in state):
            self._learned |= state[name].any(dim=1)

    @torch.no_grad()
    def _before_reading(self, ids: torch.Tensor) -> None:
        if self._waiting:
            self._bring_up(torch.unique(ids))

    def _bring_up(self, ids: torch.Tensor) -> None:
        """Let rows ``ids`` [n], each once, take what they have missed."""
        ids = ids[self._taken[ids] < len(self._waiting)]
        learned = self._learned[ids]
        kinds = (
            (ids[learned], self._replay, self._block),
            (ids[~learned], self._decay, WIDER * self._block),
        )
        for chosen, replay, size in kinds:
            for block in torch.split(chosen, size) if len(chosen) else ():
                # Those that have missed most come first: a step is taken by the first few of them.
                taken, order = self._taken[block].sort()
                ends = torch.bincount(taken, minlength=len(self._waiting)).cumsum(0).tolist()
                replay(block[order], ends)
                self._taken[block] = len(self._waiting)

    def _replay(self, ids: torch.Tensor, ends: Sequence[int]) -> None:
        """Of rows ``ids`` [n] with moments, the first ``ends[i]`` take the waiting step i."""
        state = self._state()
        rows = self._table.weight.index_select(0, ids)
        moments = [state[name].index_select(0, ids) for name in MOMENTS]
        for step, end in zip(self._waiting, ends, strict=True):
            if end:
                step.take(rows[:end], self._still[:end], [one[:end] for one in moments])
        self._put_back(ids, rows, moments)

    def _decay(self, ids: torch.Tensor, ends: Sequence[int]) -> None:
        """As ``_replay``, for rows without moments."""
        rows = self._table.weight.index_select(0, ids)
        for step, end in zip(self._waiting, ends, strict=True):
            if end:
                step.decay(rows[:end] if end < len(rows) else rows)
        self._table.weight.index_copy_(0, ids, rows)

    def _put_back(
        self, ids: torch.Tensor, rows: torch.Tensor, moments: Sequence[torch.Tensor]
    ) -> None:
        self._table.weight.index_copy_(0, ids, rows)
        state = self._state()
        for name, moment in zip(MOMENTS, moments, strict=True):
            state[name].index_copy_(0, ids, moment)
