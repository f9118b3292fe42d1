"""The bar of a long job: what it says is true, and it leaves nothing behind."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console as RichConsole

from bertft.console import progress
from bertft.console.console import Console
from bertft.watch import StepReport, TrainingPlan

PLAN = TrainingPlan(
    task="classification",
    model="tiny",
    parameters=10,
    trainable=10,
    labels=("a", "b"),
    examples={"train": 16},
    windows=16,
    truncated=1,
    unknown_share=0.0,
    epochs=2,
    steps=8,
    batch="4",
    device="cpu",
    precision="fp32",
    reason="as set",
    threads=1,
    packed=True,
    run="",
)


class Clock:
    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


def console(*, terminal: bool = True) -> tuple[Console, io.StringIO]:
    """A Console that writes to a text, as if that were a terminal of 80 columns."""
    made, file = Console(), io.StringIO()
    made._rich = RichConsole(
        file=file, force_terminal=terminal, width=80, highlight=False, soft_wrap=True
    )
    made._has_bar = terminal
    return made, file


def texts(console: Console) -> str:
    """What stands beside the bar."""
    assert console._bar is not None
    return str(console._bar._progress.tasks[0].fields["text"])


def step(number: int, **changes: Any) -> StepReport:
    fields: dict[str, Any] = {
        "epoch": (number - 1) // 4,
        "step": number,
        "total_steps": 8,
        "loss": 0.5,
        "learning_rate": 1e-3,
        "gradient_norm": 1.0,
        "examples": 4,
        "tokens": 40,
        "seconds": 2.0,
    }
    return StepReport(**(fields | changes))


class TestAmounts:
    def test_a_rate_comes_when_a_second_has_passed(self, clock: Clock) -> None:
        told, _ = console()
        told.advance(0, None)
        told.advance(512, None)
        assert texts(told) == "512"
        clock.now += 4
        told.advance(2048, None)
        assert texts(told) == "2,048  512/s"
        told.close()

    def test_what_was_done_before_the_clock_started_is_no_speed(self, clock: Clock) -> None:
        told, _ = console()
        told.advance(2048, 0.5)
        clock.now += 2
        told.advance(2148, 0.5)
        assert "  50/s" in texts(told)
        told.close()

    def test_time_left_follows_from_the_total(self, clock: Clock) -> None:
        told, _ = console()
        told.advance(0, None, total=1000)
        clock.now += 10
        told.advance(250, None, total=1000)
        assert texts(told) == "250/1,000  25/s  0:30 left"
        told.close()

    def test_another_job_has_another_bar(self, clock: Clock) -> None:
        told, _ = console()
        told.advance(0, None, what="encoded")
        first = told._bar
        told.advance(0, None, what="predicted")
        assert told._bar is not first
        told.close()


class TestTraining:
    def test_epoch_step_loss_rate_and_time_left(self, clock: Clock) -> None:
        told, _ = console()
        told.plan(PLAN)
        told.step(step(1))
        clock.now += 10
        told.step(step(6, loss=0.25))
        assert texts(told) == "epoch 2/2  step 6/8  loss 0.2500  2/s  0:03 left"
        told.close()

    @pytest.mark.parametrize(("keep", "word"), [("best", "best"), ("last", "kept")])
    def test_best_is_said_only_of_the_best(self, keep: str, word: str) -> None:
        told, file = console(terminal=False)
        told.plan(replace(PLAN, keep=keep))
        told.step(step(8, scores={"accuracy": 0.5}, is_best=True, is_last=True))
        line = file.getvalue().splitlines()[-1]
        assert line == f"step 8  loss 0.5000  dev accuracy 0.5000  {word}"

    def test_the_plan_in_words(self) -> None:
        told, file = console(terminal=False)
        told.plan(PLAN)
        told.plan(replace(PLAN, reason="a reason that is far too long for the line " * 2))
        text = file.getvalue()
        assert "1 thread\n            (a reason" in text
        assert "steps     8, batch size 4 (2 epochs)" in text
        assert "1 text longer than max_length" in text
        assert "cpu, fp32, 1 thread (as set)\n" in text


def test_an_error_has_a_line_of_its_own_and_the_bar_is_gone() -> None:
    told, file = console()
    told.advance(512, None, total=1000)
    told.error("stopped by SIGINT")
    last = file.getvalue().splitlines()[-1]
    assert re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", last) == "error: stopped by SIGINT"
    assert told._bar is None
