"""What a job tells while it works: its plan, steps, notes. The console implements who listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is about to be trained, counted before the first step."""

    task: str
    model: str
    parameters: int
    trainable: int
    labels: tuple[str, ...]
    examples: dict[str, int]
    windows: int
    truncated: int
    unknown_share: float
    epochs: int
    steps: int
    batch: str
    device: str
    precision: str
    reason: str
    threads: int
    packed: bool
    run: str
    mode: str = "fine-tune"
    keep: str = "best"
    """Which weights the run ends with: those of the best dev score, or the last."""
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepReport:
    """Yielded by the loop after each optimizer step; read by journal, console and checkpoints."""

    epoch: int
    step: int
    total_steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    examples: int
    tokens: int
    seconds: float
    scores: dict[str, float] | None = None
    is_best: bool = False
    """Whether these weights are the ones to keep so far."""
    is_last: bool = False
    stop_reason: str = ""


class Watch(Protocol):
    """Listener of a long job."""

    def note(self, text: str) -> None:
        """Something the user should know: a changed plan, left-out rows, truncated texts."""

    def plan(self, plan: TrainingPlan) -> None:
        """Training is about to start (or, with --dry-run, would)."""

    def step(self, report: StepReport) -> None:
        """An optimizer step is done."""

    def advance(
        self,
        done: int,
        fraction: float | None,
        *,
        total: int | None = None,
        what: str = "predicted",
    ) -> None:
        """So many examples are done, of ``total`` where that is known; else ``fraction`` of the
        input is. The first call, before the first example, starts the clock."""


class Silent:
    """Watches nothing."""

    def note(self, text: str) -> None:
        pass

    def plan(self, plan: TrainingPlan) -> None:
        pass

    def step(self, report: StepReport) -> None:
        pass

    def advance(
        self,
        done: int,
        fraction: float | None,
        *,
        total: int | None = None,
        what: str = "predicted",
    ) -> None:
        pass


class Recorder:
    """Passes everything on to another Watch and keeps the notes, for the journal."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.plan, self.step, self.advance = watch.plan, watch.step, watch.advance
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        self._notes.append(text)
        self._watch.note(text)

    def take_notes(self) -> list[str]:
        """The notes since this was last asked."""
        notes, self._notes = self._notes, []
        return notes
