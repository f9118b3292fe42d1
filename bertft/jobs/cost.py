"""What a training will cost, told from its first steps: time, speed, padding avoided, memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bertft.encoder.packing import Padder
from bertft.encoder.states import StateBatcher
from bertft.training import loop
from bertft.training.progress import Progress
from bertft.watch import StepReport

STEPS = 6
"""The fewest steps that are measured; the first half of them warms up and does not count."""
MOST = 24
"""The most, unless a longer time is asked for."""
SECONDS = 5.0
"""What may be spent on more than STEPS: the steps of short texts get faster for a while."""
LONG = 60.0
"""Seconds that have to be left for a preview to be worth a line."""


class CostPreview:
    """Collects the first reports of a run; ``after`` gives the preview once there are enough."""

    def __init__(self, trainer: loop.Trainer, *, least: float = LONG) -> None:
        self._trainer = trainer
        self._least = least
        self._seen: list[StepReport] = []
        self._told = False

    def after(self, report: StepReport) -> str:
        """The preview, once; "" before and after, and for trainings that are over soon."""
        if self._told:
            return ""
        self._seen.append(report)
        self._told = enough(self._seen) or report.is_last
        if not self._told:
            return ""
        seconds_left = self._seconds_left(report)
        return self._text(seconds_left) if seconds_left >= self._least else ""

    def _seconds_left(self, report: StepReport) -> float:
        plan = self._trainer.plan
        share_left = 1 - report.step / plan.total_steps
        return plan.tokens * share_left * seconds_a_token(self._seen)

    def _text(self, seconds_left: float) -> str:
        parts = [f"about {duration(seconds_left)} of training left (evaluations not counted)"]
        unit = "states" if isinstance(self._trainer.batcher, StateBatcher) else "tokens"
        parts.append(f"{1 / seconds_a_token(self._seen):,.0f} {unit}/s")
        padding = self._padding()
        if padding >= 0.01:
            padded = isinstance(self._trainer.batcher, Padder)
            parts.append(f"{padding:.0%} {'is padding' if padded else 'of padding avoided'}")
        if memory := peak_memory():
            parts.append(f"{memory / 2**30:.1f} GB of memory so far")
        return ", ".join(parts)

    def _padding(self) -> float:
        """Share of a padded batch that would hold no token, over the measured steps."""
        plan, real, padded = self._trainer.plan, 0, 0
        for step in range(min(len(self._seen), plan.steps_per_epoch)):
            for batch in plan.batches(epoch=0, step=step):
                lengths = [plan.lengths[index] for index in batch]
                real += sum(lengths)
                padded += len(lengths) * max(lengths, default=0)
        return 1 - real / max(1, padded)


def first_steps(trainer: loop.Trainer, *, seconds: float = 0.0) -> list[StepReport]:
    """Enough steps, or as many as take ``seconds``, whose result is to be thrown away."""
    found: list[StepReport] = []
    for report in loop.run(trainer, progress=Progress(), evaluate=None):
        found.append(report)
        if enough(found) and sum(one.seconds for one in found) >= seconds:
            break
    return found


def enough(steps: Sequence[StepReport]) -> bool:
    """Whether the speed can be told from these steps."""
    spent = sum(one.seconds for one in steps)
    return len(steps) >= STEPS and (len(steps) >= MOST or spent >= SECONDS)


def seconds_a_token(steps: Sequence[StepReport]) -> float:
    """Of the second half of the steps: memory and kernels for new shapes are made in the first."""
    counted = steps[len(steps) // 2 :]
    return max(sum(one.seconds for one in counted), 1e-9) / sum(one.tokens for one in counted)


def preview_of(trainer: loop.Trainer, steps: Sequence[StepReport]) -> str:
    """The preview of a training that is not run, from its ``first_steps``."""
    preview = CostPreview(trainer, least=0.0)
    return next((text for text in map(preview.after, steps) if text), "")


def peak_memory() -> int:
    """Bytes that this process has held at most; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
