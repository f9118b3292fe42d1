"""The course of a training, as pictures: journal events go in, inline SVG comes out.

Memory and pictures do not grow with the steps: neighbouring steps are averaged.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST = 400
"""Points of a curve."""
WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 14, 30

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
    """The journal of a run in brief; ``scores`` are curves of the dev scores by name."""

    loss: Curve = field(default_factory=Curve)
    learning_rate: Curve = field(default_factory=Curve)
    scores: dict[str, Curve] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    best_step: int = 0
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
            history.best_step = event["best_step"]
    return history


def smoothed(points: Sequence[Point]) -> list[Point]:
    """The running mean, each point weighing less than the next: over a thirtieth of the curve."""
    keep = 1 - 1 / max(1.0, len(points) / 30)
    found, total, weight = [], 0.0, 0.0
    for step, value in points:
        total, weight = keep * total + value, keep * weight + 1
        found.append((step, total / weight))
    return found


def picture(
    title: str, points: Sequence[Point], *, smooth: bool = False, dots: bool = False, mark: int = 0
) -> str:
    """One curve with its axes; ``mark`` is a step to draw a line at. Empty without points."""
    if not points:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    spread = (high - low) or abs(high) or 1.0
    low, high = low - spread * 0.05, high + spread * 0.05
    last = max(step for step, _ in points)

    def place(point: Point) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * point[0] / max(last, 1)
        return x, TOP + (HEIGHT - TOP - BOTTOM) * (high - point[1]) / (high - low)

    name = html.escape(title)
    parts = [
        f'<figure><figcaption>{name}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{name}">'
    ]
    for share in (0.0, 0.5, 1.0):
        value, step = low + (high - low) * share, last * share
        y, x = place((0, value))[1], place((step, low))[0]
        anchor = ("start", "middle", "end")[round(share * 2)]
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{step:.0f}</text>')
    if mark:
        x = place((mark, low))[0]
        parts.append(f'<path class="mark" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
    parts.append(_line([place(one) for one in points], kind="raw" if smooth else "curve"))
    if smooth:
        parts.append(_line([place(one) for one in smoothed(points)], kind="curve"))
    if dots:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in map(place, points)]
    return "".join([*parts, "</svg></figure>"])


def _line(places: Iterable[Point], *, kind: str) -> str:
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'


def _mean(points: Sequence[Point]) -> Point:
    return (
        math.fsum(step for step, _ in points) / len(points),
        math.fsum(value for _, value in points) / len(points),
    )
