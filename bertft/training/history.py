"""The course of a training in brief: events of a journal go in, curves by step come out.

Memory does not grow with the steps: neighbouring steps are averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

MOST = 400
"""Points of a curve."""

Point = tuple[float, float]


@dataclass(slots=True)
class Curve:
    """Points by step; where there are more than MOST, the means of ``width`` neighbours."""

    width: int = 1
    _points: list[Point] = field(default_factory=list)
    _waiting: list[Point] = field(default_factory=list)

    def add(self, step: float, value: float) -> None:
        if not math.isfinite(value):
            return
        self._waiting.append((step, value))
        if len(self._waiting) == self.width:
            self._points.append(_mean(self._waiting))
            self._waiting = []
        if len(self._points) == 2 * MOST:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_mean(pair) for pair in pairs]
            self.width *= 2

    @property
    def points(self) -> list[Point]:
        return self._points + ([_mean(self._waiting)] if self._waiting else [])


@dataclass(slots=True)
class History:
    """The journal of a run in brief; ``scores`` are curves of the dev scores by name.

    ``kept_step`` is that of the weights that the run ended with, 0 while it has not.
    """

    loss: Curve = field(default_factory=Curve)
    learning_rate: Curve = field(default_factory=Curve)
    scores: dict[str, Curve] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    kept_step: int = 0
    seconds: float = 0.0


def read_history(events: Iterable[Mapping[str, Any]]) -> History:
    """A journal, event by event."""
    history = History()
    for event in events:
        kind = event["event"]
        if kind == "plan":
            history.plan = dict(event)
        elif kind == "step":
            history.steps = event["step"]
            history.seconds += event["step_seconds"]
            history.loss.add(event["step"], event["loss"])
            history.learning_rate.add(event["step"], event["learning_rate"])
        elif kind == "scores":
            for name, value in event["scores"].items():
                history.scores.setdefault(name, Curve()).add(event["step"], value)
        elif kind == "finish":
            history.kept_step = event["best_step"]
    return history


def smoothed(points: Sequence[Point]) -> list[Point]:
    """The mean of each point and those before and after it: over a twentieth of the curve."""
    reach = len(points) // 40
    sums = [0.0, *accumulate(value for _, value in points)]
    found = []
    for place, (step, _) in enumerate(points):
        start, stop = max(0, place - reach), min(len(points), place + reach + 1)
        found.append((step, (sums[stop] - sums[start]) / (stop - start)))
    return found


def _mean(points: Sequence[Point]) -> Point:
    return (
        math.fsum(step for step, _ in points) / len(points),
        math.fsum(value for _, value in points) / len(points),
    )
