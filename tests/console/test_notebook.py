"""What a notebook shows of a job: one line, changed in its place; nothing anywhere else."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bertft.console import notebook
from bertft.console.notebook import Line, watch_here
from bertft.watch import Silent, StepReport


def report(step: int) -> StepReport:
    return StepReport(
        epoch=0, step=step, total_steps=4, loss=0.5, learning_rate=1e-3, gradient_norm=1.0,
        examples=8, tokens=80, seconds=0.1, scores={"accuracy": 0.75} if step == 2 else None,
        is_last=step == 4,
    )  # fmt: skip


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the one line of a notebook's cell is set to; a second line fails."""
    found: list[str] = []

    def display(_data: Any, *, raw: bool, display_id: bool) -> Any:
        assert raw and display_id and not found  # noqa: PT018
        return SimpleNamespace(update=lambda data, raw: found.append(data["text/plain"]))

    module, shell = ModuleType("IPython"), SimpleNamespace(kernel=object())
    module.display = SimpleNamespace(display=display)  # type: ignore[attr-defined]
    module.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    return found


def test_a_program_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert type(watch_here()) is Silent
    module = ModuleType("IPython")
    module.get_ipython = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert type(watch_here()) is Silent


def test_a_job_is_one_line(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "OFTEN", 0.0)
    watch = watch_here()
    assert isinstance(watch, Line)
    for step in range(1, 5):
        watch.step(report(step))
    assert lines[0].startswith("epoch 1/0  step 1/4  loss 0.5000  0:00 left")
    assert lines[-1] == "epoch 1/0  step 4/4  loss 0.5000  dev accuracy 0.7500"
    watch.advance(7, None, total=9)
    assert lines[-1] == "predicted 7/9"


def test_it_changes_now_and_then_and_at_the_end(lines: list[str]) -> None:
    watch = watch_here()
    for step in range(1, 5):
        watch.step(report(step))
    assert len(lines) == 1
    assert "step 4/4" in lines[0]
