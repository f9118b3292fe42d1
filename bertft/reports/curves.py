"""The pictures of a training: its History goes in, charts of loss, dev score and rate come out."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bertft.evaluation.statistic import is_better
from bertft.reports.charts import LineChart, Series
from bertft.training.history import History, smoothed

ABOVE = (0.0, math.inf)
BOUNDS = {
    "loss": ABOVE,
    "mlm_loss": ABOVE,
    "perplexity": ABOVE,
    "rmse": ABOVE,
    "pearson": (-1.0, 1.0),
    "spearman": (-1.0, 1.0),
    "matthews_correlation": (-1.0, 1.0),
}
"""What values scores can have; all others lie between 0 and 1."""


def charts(history: History, *, metric: str) -> Iterator[LineChart]:
    """Train loss, with the loss on dev where it is known; the dev score; the learning rate."""
    mark = (history.kept_step, kept(history, metric=metric)) if history.kept_step else None
    if points := history.loss.points:
        width = history.loss.width
        series = [
            Series(name="", points=points, faint=True),
            Series(name="train", points=smoothed(points)),
        ]
        if (dev := history.scores.get("loss")) and dev.points:
            series.append(Series(name="dev", points=dev.points, dots=True))
        up = "loss of a step" if width == 1 else f"mean loss of {width} steps"
        up += "; bold: running mean"
        yield LineChart(title="Loss", across="step", up=up, series=series, bounds=ABOVE, mark=mark)
    if (scores := history.scores.get(metric)) and scores.points:
        yield LineChart(
            title=f"Dev {metric}",
            across="step",
            up=f"{metric} on dev",
            series=[Series(name="", points=scores.points, dots=True)],
            bounds=BOUNDS.get(metric, (0.0, 1.0)),
            mark=mark,
        )
    if rates := history.learning_rate.points:
        yield LineChart(
            title="Learning rate",
            across="step",
            up="learning rate",
            series=[Series(name="", points=rates)],
            bounds=ABOVE,
        )


def kept(history: History, *, metric: str) -> str:
    """What the kept weights are called: "best" only where no dev score is better."""
    points = history.scores[metric].points if metric in history.scores else []
    own = [value for step, value in points if step == history.kept_step]
    if not own or any(is_better(metric, value, than=own[0]) for _, value in points):
        return "kept"
    return "kept (best)"
