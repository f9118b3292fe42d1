"""The page of a run: what it was trained on, its scores and what it saw go in, HTML comes out.

One self-contained page without scripts: nothing is loaded from anywhere. All that comes from data
is escaped, and cut where it is long; each table says how many rows it leaves out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bertft.evaluation.statistic import LOWER, is_better
from bertft.reports.charts import LineChart, Series
from bertft.reports.confusion_picture import confusion_picture
from bertft.reports.curves import charts, kept
from bertft.reports.errors import worst
from bertft.reports.examples import Seen
from bertft.reports.failures import kind_examples, kinds_table, slices_table, words_table
from bertft.reports.picture import inline_svg
from bertft.reports.reliability_chart import ReliabilityChart
from bertft.reports.tables import (
    SQUARE,
    Table,
    beside_table,
    bins_table,
    calibration_table,
    classes_table,
    confused_table,
    confusion_square,
    interval,
    questions_table,
    scope_table,
    scores_table,
)
from bertft.reports.templating import render
from bertft.runs.counterpart import Beside
from bertft.training.history import History

NAMED = 12
"""Labels named among the facts."""


@dataclass(frozen=True, slots=True)
class About:
    """What was trained.

    ``name`` is the run's, ``task`` the settings of the task, ``recipe`` and ``environment`` are the
    content of recipe.toml and environment.json, ``history`` is the journal in brief.
    """

    name: str
    task: Mapping[str, Any]
    recipe: str
    environment: Mapping[str, Any]
    history: History

    @property
    def heading(self) -> str:
        return str(self.environment.get("recipe") or self.name)


def web_page(
    about: About, scores: Mapping[str, Any], seen: Seen, *, beside: Beside | None = None
) -> str:
    """The page. ``scores`` is the content of scores.json, ``beside`` the run to compare with."""
    metric, counts = scores["metric"], scores.get("confusion", {})
    wrong, errors = worst(seen)
    some = "1 example" if scores["n"] == 1 else f"{scores['n']:,} examples"
    page = {
        "title": f"{about.heading}: {metric}",
        "heading": about.heading,
        "where": f"{some} of {scores['split']}, {scores['data']}" if scores["metrics"] else "",
        **_headline(scores),
        "scores": scores_table(scores) if scores["metrics"] else Table(),
        "facts": Table(rows=[(name, str(value)) for name, value in _facts(about, metric) if value],
                       kind="left"),
        "curves": [Markup(inline_svg(one)) for one in charts(about.history, metric=metric)],
        "beside": beside_table(beside, metric=metric),
        "questions": questions_table(scores, seen),
        "scope": scope_table(scores.get("out_of_scope", {})),
        "classes": classes_table(scores.get("per_class", {})),
        "square": confusion_square(counts),
        "picture": confusion_picture(counts) if len(counts) > SQUARE else None,
        "confused": confused_table(counts),
        "slices": slices_table(seen.slices),
        "words": words_table(seen.words),
        "kinds": kinds_table(seen.kinds),
        "examples": kind_examples(seen.kinds),
        **_calibration(scores.get("calibration", {})),
        "surest": all(row["sure"] is not None for row in seen.worst[:1]),
        "wrong": wrong,
        "errors": errors,
        "recipe": about.recipe,
    }  # fmt: skip
    return str(render("report.html.j2", page=page))


def _headline(scores: Mapping[str, Any]) -> dict[str, str]:
    """The main score, its interval, and whether it beats the baseline."""
    nothing = dict.fromkeys(("note", "metric", "value", "interval", "verdict"), "")
    if not scores["metrics"]:
        return nothing | {"note": str(scores["note"])}
    name, main = scores["metric"], scores["metrics"][scores["metric"]]
    verdict = ""
    if name in scores["baseline"]:
        floor = scores["baseline"][name]
        bound = main.get("high" if name in LOWER else "low", main["value"])
        better = "better" if is_better(name, bound, than=floor) else "not clearly better"
        verdict = f"{better} than the baseline's {floor:.4f}"
    value = f"{main['value']:.4f}"
    told = {"metric": name, "value": value, "interval": interval(main), "verdict": verdict}
    return nothing | told


def _calibration(content: Mapping[str, Any]) -> dict[str, Any]:
    """How far probabilities hold, and what withholding the least certain predictions gains."""
    bins = content.get("bins", [])
    if not bins:
        return {"bins": Table()}
    before = content.get("before", {}).get("bins", ())
    title = "Confidence and correctness"
    pictures: list[Any] = [ReliabilityChart(title=title, bins=bins, before=before)]
    if curve := content.get("risk_coverage"):
        points = [(100 * share, 100 * risk) for share, risk in curve]
        pictures.append(
            LineChart(
                title="Errors by share answered",
                across="% answered, the most certain first",
                up="% of these that are wrong",
                series=[Series(name="", points=points)],
                bounds=(0.0, 100.0),
            )
        )
    return {
        "calibration": calibration_table(content),
        "reliability": [Markup(inline_svg(one)) for one in pictures],
        "bins": bins_table(bins),
    }


def _facts(about: About, metric: str) -> Iterator[tuple[str, Any]]:
    """What was trained on what, and how."""
    found, plan = about.environment, about.history.plan
    training = tomllib.loads(about.recipe).get("training", {})
    yield "run", about.name
    yield "task", about.task["name"]
    yield "mode", training.get("mode")
    encoder = found.get("model", {})
    yield "encoder", " ".join(filter(None, [encoder.get("name"), encoder.get("revision")]))
    for split, file in found.get("data", {}).items():
        count = plan.get("examples", {}).get(split)
        size = f", {count:,} {'example' if count == 1 else 'examples'}" if count else ""
        digest = str(file.get("sha256") or "")[:12]
        yield split, f"{file.get('path')}{size}" + (f", SHA-256 {digest}…" if digest else "")
    labels = found.get("labels", [])
    more = f" and {len(labels) - NAMED:,} more" if len(labels) > NAMED else ""
    yield "labels", ", ".join(map(str, labels[:NAMED])) + more
    yield "steps", _steps(about.history, training, metric)
    names = ("epochs", "learning_rate", "seed")
    settings = ((name.replace("_", " "), training[name]) for name in names if name in training)
    yield "settings", ", ".join(f"{name} {value}" for name, value in settings)
    if "parameters" in plan:
        yield "parameters trained", f"{plan['trainable']:,} of {plan['parameters']:,}"
    precision = found.get("precision", {}).get("used")
    yield "device", ", ".join(filter(None, [found.get("device"), precision]))
    yield "started", found.get("started")
    versions = found.get("versions", {}).items()
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions)


def _steps(history: History, training: Mapping[str, Any], metric: str) -> str:
    """As "656 steps, batch size 16, in 1.5 minutes; kept: those of step 492, the best on dev"."""
    if not history.steps:
        return ""
    taken = "1 step" if history.steps == 1 else f"{history.steps:,} steps"
    batch = f", batch size {training['batch_size']}" if "batch_size" in training else ""
    text = f"{taken}{batch}, in {_time(history.seconds)}"
    if not history.kept_step:
        return text
    best = ", the best on dev" if "best" in kept(history, metric=metric) else ""
    last = ", the last" if history.kept_step == history.steps else ""
    return f"{text}; kept: the weights of step {history.kept_step:,}{last}{best}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} seconds" if seconds < 100 else f"{seconds / 60:.1f} minutes"
