"""The page of ``bertft curve``: what curve.json says goes in, a picture and numbers come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from bertft.reports.charts import LineChart, Series
from bertft.reports.curves import BOUNDS
from bertft.reports.picture import inline_svg
from bertft.reports.tables import Table
from bertft.reports.templating import render

CLASSES = 30
"""Rows of the table of classes."""


def curve_page(content: Mapping[str, Any]) -> str:
    """A self-contained page."""
    metric, now = content["metric"], content["points"][-1]["examples"]
    points = [
        (f"{one['examples']:,.0f}", f"{one['mean']:.4f}",
         ", ".join(f"{score:.4f}" for score in one["scores"]))
        for one in content["points"]
    ]  # fmt: skip
    headings = ["training rows", metric, "95 % interval of a run"]
    predicted = [
        (f"{one['examples']:,.0f} ({one['examples'] / now:g} x)", f"{one['value']:.4f}",
         f"{one['low']:.4f} - {one['high']:.4f}")
        for one in content["predicted"]
    ]  # fmt: skip
    classes = [
        (one["class"], f"{one['f1']:.4f}", f"{one['gain']:+.4f}")
        for one in content["classes"][:CLASSES]
    ]
    law = content["law"]
    form = f"error = {law['a']:.4f} + {law['b']:.4f} (n / {law['examples']:,.0f})^-{law['c']:.2f}"
    fit = f"{form}; it misses its points by {content['misfit']:.1f} standard errors"
    page = render(
        "curve.html.j2",
        title=content["recipe"],
        where=f"{content['n']:,} examples of {content['split']}, {content['seeds']} seeds",
        says=content["says"],
        picture=Markup(inline_svg(curve_chart(content))),
        points=Table(["training rows", f"mean {metric}", "each seed"], points),
        predicted=Table(headings, predicted, notes=[fit]),
        classes=Table(["class", "F1 now", "with twice the rows"], classes),
    )
    return str(page)


def curve_chart(content: Mapping[str, Any]) -> LineChart:
    """Training rows to the right, the score upwards: means, the law and its interval."""
    line = content["line"]

    def along(key: str) -> list[tuple[float, float]]:
        return [(one["examples"], one[key]) for one in line]

    measured = [(one["examples"], one["mean"]) for one in content["points"]]
    metric = content["metric"]
    last = content["predicted"][-1]
    return LineChart(
        title="Would more data help?",
        across="training rows",
        up=f"{metric}; faint: 95 % interval of a run",
        series=[
            Series(name="", points=along("low"), faint=True),
            Series(name="", points=along("high"), faint=True),
            Series(name=f"law: {last['value']:.3f}", points=along("value")),
            Series(name="measured", points=measured, dots=True),
        ],
        bounds=BOUNDS.get(metric, (0.0, 1.0)),
        mark=(content["points"][-1]["examples"], "all rows"),
        size=(640, 400),
    )
