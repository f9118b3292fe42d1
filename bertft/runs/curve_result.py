"""What a learning curve says: its points in, what curve.json holds out, with a sentence to act on.

Shape legend: S sizes, K seeds, C classes.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bertft.evaluation.learning_curve import Forecast, class_gains, forecast, resampled, to_error
from bertft.evaluation.statistic import LOWER
from bertft.runs.curve import SHARES, Point

MULTIPLES = (2, 4)
"""Of the training examples: what a score is predicted for."""
WORTH = 0.05
"""Share of the errors that twice the examples have to take off, for labelling to pay."""
SURE = 0.02
"""Share that they take off at least (95 %), for that to be said without a doubt."""
POOR = 3.0
"""Standard errors by which a law may miss its points and still be relied on."""
NAMED = 3
"""Classes that are named."""
NOTABLE = 0.005
"""F1 that a class has to gain to be named."""
LINE = 24
"""Places between the smallest size and four times the largest at which the law is drawn."""


def curve_content(points: Sequence[Point], *, name: str) -> dict[str, Any]:
    """Points, law, predictions with intervals, classes, and what to do."""
    by_share = {share: [one for one in points if one.share == share] for share in SHARES}
    metric = points[0].scores["metric"]
    sizes = [statistics.fmean(one.count for one in runs) for runs in by_share.values()]
    scores = np.array([[_value(one, metric) for one in runs] for runs in by_share.values()])
    draws = np.stack(
        [
            np.stack([resampled(one.statistic, metric) for one in runs], axis=1)
            for runs in by_share.values()
        ],
        axis=1,
    )  # [R, S, K]
    line = np.geomspace(sizes[0], MULTIPLES[-1] * sizes[-1], LINE)
    at = [*(multiple * sizes[-1] for multiple in MULTIPLES), *line]
    found = forecast(sizes, scores, draws, metric=metric, at=at)
    classes = _classes(by_share.values(), sizes)
    predicted = [_predicted(found, place) for place in range(len(MULTIPLES))]
    kind, text = _verdict(found, scores, predicted, metric=metric, size=sizes[-1], classes=classes)
    return {
        "recipe": name,
        "split": points[0].scores["split"],
        "n": points[0].scores["n"],
        "metric": metric,
        "seeds": len(by_share[SHARES[0]]),
        "points": [
            {"share": float(share), "examples": size, "mean": float(row.mean()),
             "scores": row.tolist()}
            for share, size, row in zip(SHARES, sizes, scores, strict=True)
        ],
        "predicted": predicted,
        "gain": dict(zip(("value", "low", "high"), found.gain, strict=True)),
        "law": dict(zip(("a", "b", "c"), found.law, strict=True)) | {"examples": sizes[-1]},
        "misfit": found.misfit,
        "line": [_predicted(found, place) for place in range(len(MULTIPLES), len(at))],
        "classes": classes,
        "verdict": kind,
        "says": text,
    }  # fmt: skip


def _value(point: Point, metric: str) -> float:
    return float(point.scores["metrics"][metric]["value"])


def _predicted(found: Forecast, place: int) -> dict[str, float]:
    return {
        "examples": found.sizes[place],
        "value": found.value[place],
        "low": found.low[place],
        "high": found.high[place],
    }


def _classes(shares: Any, sizes: Sequence[float]) -> list[dict[str, Any]]:
    """F1 of each class and what twice the examples add to it, most gain first."""
    f1: dict[str, list[float]] = {}
    for runs in shares:
        tables: list[Mapping[str, Any]] = [one.scores.get("per_class", {}) for one in runs]
        for label in tables[0]:
            values = [table[label]["f1"] for table in tables if label in table]
            f1.setdefault(label, []).append(statistics.fmean(values))
    whole = {label: values for label, values in f1.items() if len(values) == len(sizes)}
    return [
        {"class": label, "f1": now, "gain": gain} for label, now, gain in class_gains(sizes, whole)
    ]


def _verdict(
    found: Forecast,
    scores: Any,
    predicted: Sequence[Mapping[str, float]],
    *,
    metric: str,
    size: float,
    classes: Sequence[Mapping[str, Any]],
) -> tuple[str, str]:
    """pays, little or unclear; and a sentence."""
    now = float(scores[-1].mean())
    error = float(to_error(metric, now)) or 1.0
    gain, least, most = (one / error for one in found.gain)
    twice = predicted[0]
    to = f"from {now:.4f} to {twice['value']:.4f}"
    interval = f"(95 % interval of a run: {twice['low']:.4f} to {twice['high']:.4f})"
    what = f"twice the rows ({2 * size:,.0f}) take {metric} {to} {interval}"
    if found.misfit > POOR:
        why = "the power law misses its points, so that little can be said of more rows"
        return "unclear", f"Not clear: {why}; by it {what}."
    if gain >= WORTH and least >= SURE:
        return "pays", f"Label more: {what}{_named(classes, of=metric)}."
    if most < WORTH or gain < WORTH:
        other = "look at label errors (bertft check --labels), settings and encoder first"
        return "little", f"More rows of this kind add little: {what}; {other}."
    other = "more --seeds, or more dev and test rows, would tell"
    return "unclear", f"Not clear: {what}, but it may be less than {WORTH:.0%} of errors; {other}."


def _named(classes: Sequence[Mapping[str, Any]], *, of: str) -> str:
    named = [one["class"] for one in classes[:NAMED] if one["gain"] >= NOTABLE]
    if len(classes) < 2 or not named or of in LOWER:
        return ""
    return f", most for {', '.join(named)}"
