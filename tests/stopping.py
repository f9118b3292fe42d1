"""Stops a training at a step, and tells what a run has come to: for tests of the way back."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bertft.commands.train import TrainResult, train
from bertft.jobs.request import TrainRequest
from bertft.watch import Silent, StepReport, Watch

SETTINGS = (
    "training.evaluate_every=4",
    "training.gradient_accumulation=2",
    "training.batch_size=4",
)
"""12 steps of two batches of 4, two epochs; evaluations after steps 4, 8 and 12."""
STEPS = 12
FIGURES = ("epoch", "step", "loss", "learning_rate", "gradient_norm", "examples", "tokens")


class Stopper(Silent):
    """Does something when a step is reached, and remembers what it was told."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._step = step
        self._act = act
        self.notes: list[str] = []

    def step(self, report: StepReport) -> None:
        if report.step == self._step:
            self._act()

    def note(self, text: str) -> None:
        self.notes.append(text)


def sending(number: int, *, times: int = 1) -> Callable[[], None]:
    def send() -> None:
        for _ in range(times):
            os.kill(os.getpid(), number)

    return send


def crash() -> None:
    raise ZeroDivisionError


def resume(run: Path, *, watch: Watch | None = None) -> TrainResult:
    result = train(TrainRequest(recipe="", resume=str(run)), watch=watch)
    assert result is not None
    return result


def outcome(run: Path) -> dict[str, Any]:
    """What an interruption must not change: weights and moments, scores, answers, the journal."""
    weights = ("best/model.safetensors", "last/model.safetensors", "last/optimizer.safetensors")
    hashes = {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest()
        for name in (*weights, "predictions.jsonl")
    }
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    return {**hashes, "scores": scores | {"data": ""}, "figures": figures(run)}


def figures(run: Path) -> list[dict[str, Any]]:
    """The steps and the dev scores of the journal, without the times that they took."""
    steps = [{name: event[name] for name in FIGURES} for event in events(run, "step")]
    scores = [{"step": event["step"], **event["scores"]} for event in events(run, "scores")]
    return steps + scores


def events(run: Path, kind: str = "") -> list[dict[str, Any]]:
    """The journal, or what it has of one kind; every line must be whole."""
    rows = [json.loads(line) for line in (run / "journal.jsonl").read_bytes().splitlines()]
    return [row for row in rows if kind in ("", row["event"])]


def notes(run: Path) -> list[str]:
    return [event["text"] for event in events(run, "note")]


def saved_step(folder: Path) -> int:
    """The step of a checkpoint."""
    saved = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    return int(saved["progress"]["step"])
