"""AdamW of the rows that are touched is torch's AdamW of the whole table, bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from bertft.encoder import lookup
from bertft.encoder.lookup import Lookup
from bertft.runs.saving import state_saver
from bertft.training import loop
from bertft.training.checkpoint import load_state, open_checkpoint
from bertft.training.optimizer import set_learning_rate
from bertft.training.progress import Progress
from bertft.training.rows import WAITING, RowSteps

Start = Callable[..., SimpleNamespace]
ROWS, WIDTH = 300, 32
LONG = 2 * WAITING + 7


class Twins:
    """A table with rows' steps beside one with torch's, which gets the same gradients whole.

    Each has an output layer that learns at another rate.
    """

    def __init__(self, *, decay: float) -> None:
        torch.manual_seed(3)
        self.plain = nn.Sequential(nn.Embedding(ROWS, WIDTH, padding_idx=0), nn.Linear(WIDTH, 2))
        self.ours = copy.deepcopy(self.plain)
        self.table = Lookup(self.ours[0])
        self.ours[0] = self.table
        self.optimizers = [self._optimizer(one, decay) for one in (self.ours, self.plain)]
        RowSteps(self.table, self.optimizers[0])

    @staticmethod
    def _optimizer(model: nn.Sequential, decay: float) -> torch.optim.AdamW:
        groups = [
            {"params": [model[1].bias], "weight_decay": 0.0, "base_lr": 1e-2},
            {"params": [model[0].weight], "weight_decay": decay, "base_lr": 1e-2 / 3},
            {"params": [model[1].weight], "weight_decay": decay, "base_lr": 1e-2},
        ]
        return torch.optim.AdamW(groups, fused=True)

    def learn(self, first: int, last: int, *, passes: int = 1) -> None:
        """Steps ``first`` to ``last``, clipped; a few rows are frequent, others rare or never."""
        for number in range(first, last):
            generator = torch.Generator().manual_seed(number)
            self.table.begin()
            for _ in range(passes):
                ids = (torch.rand(20, generator=generator) ** 4 * (ROWS - 50)).long()
                self.ours(ids).square().sum().backward()
            ids, rows = self.table.rows()
            norm = torch.nn.utils.clip_grad_norm_([*self.ours.parameters(), rows], 0.5)
            assert norm > 0.5
            whole = torch.zeros(ROWS, WIDTH).index_copy_(0, ids, rows.grad)
            self.plain[0].weight.grad = whole
            for theirs, mine in zip(self.plain[1].parameters(), self.ours[1].parameters(),
                                    strict=True):  # fmt: skip
                theirs.grad = mine.grad.clone()
            for optimizer in self.optimizers:
                set_learning_rate(optimizer, 1 - number / (2 * LONG))
                optimizer.step()
                optimizer.zero_grad()

    def check(self) -> None:
        """Weights, moments and counts of steps are equal to the last bit."""
        expected = self.plain.state_dict()
        for name, tensor in self.ours.state_dict().items():
            assert torch.equal(tensor, expected[name]), name
        mine, theirs = (one.state_dict() for one in self.optimizers)
        assert mine["param_groups"] == theirs["param_groups"]
        assert mine["state"].keys() == theirs["state"].keys()
        for index, moments in theirs["state"].items():
            assert mine["state"][index].keys() == moments.keys()
            for name, tensor in moments.items():
                assert torch.equal(mine["state"][index][name], tensor), (index, name)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("passes", [1, 3])
def test_steps_are_torch_s(decay: float, passes: int) -> None:
    twins = Twins(decay=decay)
    before = twins.plain[0].weight.detach().clone()
    twins.learn(0, LONG, passes=passes)
    twins.check()
    same = (twins.plain[0].weight == before).all(dim=1)
    untouched = same[-50:]
    assert not same[1:-50].all()
    assert not untouched.any() if decay else untouched.all()


def test_rows_are_up_to_date_whenever_they_are_read() -> None:
    """In any order, with and without gradients, between any two steps."""
    twins = Twins(decay=0.3)
    for first in range(0, LONG, 5):
        twins.learn(first, first + 5)
        some = torch.randint(
            ROWS, (1 + first % 40,), generator=torch.Generator().manual_seed(first)
        )
        with torch.inference_mode():
            assert torch.equal(twins.ours(some), twins.plain(some))
        assert torch.equal(twins.table(some), twins.plain[0](some))
    twins.check()


@pytest.mark.parametrize("done", [1, WAITING, WAITING + 9])
@pytest.mark.parametrize("saved_by", ["ours", "torch"])
def test_a_state_of_either_goes_on_as_the_other(done: int, saved_by: str) -> None:
    twins, other = Twins(decay=0.3), Twins(decay=0.3)
    other.learn(500, 504)  # which the state that comes takes the place of
    twins.learn(0, done)
    from_ours = saved_by == "ours"
    model = (twins.ours if from_ours else twins.plain).state_dict()
    state = copy.deepcopy(twins.optimizers[0 if from_ours else 1].state_dict())
    for network, optimizer in zip((other.ours, other.plain), other.optimizers, strict=True):
        network.state_dict()  # as load_state asks for it first
        network.load_state_dict(model)
        optimizer.load_state_dict(copy.deepcopy(state))
    other.learn(done, LONG)
    other.check()
    twins.learn(done, LONG)
    twins.check()
    assert torch.equal(other.table.weight, twins.table.weight)


def test_nothing_whole_is_made_in_a_step() -> None:
    twins = Twins(decay=0.3)
    twins.learn(0, 3)
    assert twins.table.weight.grad is None
    ids, rows = twins.table.rows()
    assert rows.shape == (len(ids), WIDTH)
    assert len(ids) <= 20


SETTINGS = ("training.batch_size=2", "training.epochs=8", "training.gradient_accumulation=2")
MORE = ("training.layer_decay=0.5", "training.weight_decay=0.2", "training.learning_rate=0.01")


@pytest.fixture
def as_rows(start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts a training whose table learns by rows, or, not ``large``, as torch's does."""

    def begin(*, large: bool = True, model: Path) -> SimpleNamespace:
        monkeypatch.setattr(lookup, "LARGE", 8 if large else 10**9)
        started = start(*SETTINGS, *MORE, model=model)
        assert bool(started.trainer.tables) == large
        return started

    return begin


def state_of(started: SimpleNamespace) -> dict[str, Any]:
    state = started.trainer.optimizer.state_dict()["state"]
    moments = {
        f"{index}.{key}": value for index, one in state.items() for key, value in one.items()
    }
    return {**started.model.state_dict(), **moments}


def test_a_training_is_that_of_torch(as_rows: Start, tiny: Path) -> None:
    """Norms are added up in another order: equal to rounding."""
    ours, theirs = as_rows(model=tiny), as_rows(large=False, model=tiny)
    reports = [list(loop.run(one.trainer, progress=Progress(), evaluate=None))
               for one in (ours, theirs)]  # fmt: skip
    for name in ("loss", "gradient_norm"):
        mine, its = ([getattr(report, name) for report in some] for some in reports)
        assert mine == pytest.approx(its, rel=1e-4), name
    expected = state_of(theirs)
    for name, tensor in state_of(ours).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-5, msg=name)


def test_a_training_goes_on_as_if_never_stopped(as_rows: Start, tiny: Path, tmp_path: Path) -> None:
    started, progress = as_rows(model=tiny), Progress()
    coming = loop.run(started.trainer, progress=progress, evaluate=None)
    list(islice(coming, 11))
    state_saver(started.job, started.trainer, tmp_path, progress=progress)()
    losses = [report.loss for report in coming]
    other = as_rows(model=tiny)
    checkpoint = open_checkpoint(tmp_path / "last")
    load_state(checkpoint, other.model, other.trainer.optimizer)
    reports = list(loop.run(other.trainer, progress=checkpoint.progress, evaluate=None))
    assert [report.loss for report in reports] == losses
    expected = state_of(started)
    for name, tensor in state_of(other).items():
        assert torch.equal(tensor, expected[name]), name
