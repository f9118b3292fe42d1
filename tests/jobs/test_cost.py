"""What a training costs, told from its first steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bertft.encoder.packing import Packer, Padder
from bertft.jobs.cost import MOST, STEPS, CostPreview, peak_memory
from bertft.training.plan import Plan
from bertft.watch import StepReport

PLAN = Plan(lengths=(10, 30) * 300, batch_size=6, accumulation=1, epochs=2, seed=1)
"""100 steps of an epoch, 120 tokens each on average."""


def report(step: int, *, seconds: float = 1.0, is_last: bool = False) -> StepReport:
    return StepReport(
        epoch=0,
        step=step,
        total_steps=200,
        loss=1.0,
        learning_rate=1e-4,
        gradient_norm=1.0,
        examples=6,
        tokens=120,
        seconds=seconds,
        is_last=is_last,
    )


def preview(batcher: Any = None, *, least: float = 60.0) -> CostPreview:
    trainer: Any = SimpleNamespace(plan=PLAN, batcher=batcher or Packer(0, 0))
    return CostPreview(trainer, least=least)


def test_it_is_told_once_without_the_first_half() -> None:
    """Steps 1 to 3 take a minute; the others a second each: 194 steps of 120 tokens are left."""
    told = preview()
    texts = [told.after(report(n, seconds=60.0 if n <= 3 else 1.0)) for n in range(1, 20)]
    (text,) = [one for one in texts if one]
    assert texts.index(text) == STEPS - 1
    assert text.startswith("about 3 min of training left (evaluations not counted), 120 tokens/s, ")


def test_short_steps_are_watched_for_longer_than_a_few() -> None:
    """24 of them, or for five seconds: they get faster for a while."""
    told = preview(least=0.0)
    texts = [told.after(report(n, seconds=0.2 if n <= 12 else 0.1)) for n in range(1, 40)]
    (text,) = [one for one in texts if one]
    assert texts.index(text) == MOST - 1
    assert text.startswith("about 18 s of training left (evaluations not counted), 1,200 tokens/s")
    told = preview(least=0.0)
    texts = [told.after(report(n, seconds=0.5)) for n in range(1, 40)]
    assert texts.index(next(filter(None, texts))) == 9


def test_short_trainings_are_not_worth_a_line() -> None:
    told = preview()
    assert not any(told.after(report(n, seconds=0.1)) for n in range(1, 20))


@pytest.mark.parametrize("batcher", [Packer(0, 0), Padder(0, 0)])
def test_padding_is_what_padded_batches_would_hold(batcher: Any) -> None:
    told = preview(batcher)
    text = [told.after(report(n)) for n in range(1, STEPS + 1)][-1]
    real = padded = 0
    for step in range(STEPS):
        (batch,) = PLAN.batches(epoch=0, step=step)
        lengths = [PLAN.lengths[index] for index in batch]
        real, padded = real + sum(lengths), padded + 6 * max(lengths)
    share = f"{1 - real / padded:.0%}"
    what = f"{share} of padding avoided" if isinstance(batcher, Packer) else f"{share} is padding"
    assert f", {what}, " in text


def test_hours_and_few_steps() -> None:
    told = preview()
    texts = [told.after(report(n, seconds=60.0)) for n in range(1, STEPS + 1)]
    assert texts[-1].startswith("about 3 h 14 min of training left")
    few = preview(least=0.0)
    assert few.after(report(1)) == ""
    assert few.after(report(2, is_last=True)).startswith("about ")


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10 * 2**20 < peak_memory() < 2**40
