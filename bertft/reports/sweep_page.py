"""What a sweep comes to: its trials go in; report.html and the winning recipe as TOML come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from bertft.evaluation.statistic import LOWER, is_better
from bertft.recipe import parse_recipe
from bertft.reports.bars import Bar, BarChart, Panel
from bertft.reports.charts import LineChart, Series
from bertft.reports.curves import BOUNDS
from bertft.reports.picture import inline_svg
from bertft.reports.tables import Table, scores_table
from bertft.reports.templating import render
from bertft.runs.inputs import recorded_recipe
from bertft.runs.writing import new_file
from bertft.search.folder import Sweep
from bertft.search.space import setting, table
from bertft.search.study import Trial
from bertft.words import counted

Test = Mapping[str, Any] | None
"""The content of scores.json for the winner on test, where there is a test set."""


def write_result(
    sweep: Sweep, winner: Trial, trials: Sequence[Trial], *, test: Test, shares: Mapping[str, float]
) -> None:
    """Write winner.toml and report.html; ``shares`` are the importance of the settings."""
    page = sweep_page(sweep, winner, trials, test=test, shares=shares)
    files = {"winner.toml": winner_toml(sweep, winner, trials), "report.html": page}
    for name, text in files.items():
        with new_file(sweep.folder / name) as file:
            file.write(text)


def winner_toml(sweep: Sweep, winner: Trial, trials: Sequence[Trial]) -> str:
    """The winning recipe with every setting, and as comments what was searched."""
    chosen = [setting(key, value) for key, value in winner.params.items()]
    recipe = parse_recipe(sweep.base.resolved(), overrides=chosen, where=str(sweep.recipe_file))
    metric = sweep.plan.metric
    lines = [
        f"Found by bertft sweep: the best {metric} on dev, {winner.value:.4f}, "
        f"of {counted(len(trials), 'trial')}. Searched:",
        *(f"  {key} = {values}" for key, values in table(sweep.space).items()),
        "Found:",
        *(f"  {one}" for one in chosen),
    ]
    return "".join(f"# {line}\n" for line in lines) + "\n" + recorded_recipe(recipe).to_toml()


def sweep_page(
    sweep: Sweep, winner: Trial, trials: Sequence[Trial], *, test: Test, shares: Mapping[str, float]
) -> str:
    """A self-contained page: the winner, the course of the search, importance, all trials."""
    metric, ended = sweep.plan.metric, sum(one.state == "complete" for one in trials)
    pictures = [inline_svg(_history(metric, trials))]
    if shares:
        pictures.append(inline_svg(_importance(shares)))
    page = {
        "heading": sweep.recipe_file.stem,
        "metric": metric,
        "value": f"{winner.value:.4f}",
        "chosen": f"the best on dev of {counted(len(trials), 'trial')}, {ended} of them whole",
        "winner": Table(rows=[(key, _said(value)) for key, value in winner.params.items()]),
        "toml": winner_toml(sweep, winner, trials),
        "test": scores_table(test) if test else Table(),
        "pictures": [Markup(one) for one in pictures],
        "trials": trials_table(metric, trials),
        "searched": Table(rows=list(table(sweep.space).items()), kind="left"),
    }
    return str(render("sweep.html.j2", page=page))


def trials_table(metric: str, trials: Sequence[Trial]) -> Table:
    """All trials, the best first; those that were given up or failed after them."""
    keys = list(trials[0].params) if trials else []
    sign = 1 if metric in LOWER else -1
    order = sorted(trials, key=lambda one: (one.value is None, sign * (one.value or 0.0)))
    rows = [
        [str(one.number + 1), _value(one), *(_said(one.params[key]) for key in keys), _end(one)]
        for one in order
    ]
    names = [key.rpartition(".")[2] for key in keys]
    shown = names if len(set(names)) == len(names) else keys
    return Table(["trial", f"dev {metric}", *shown, "end"], rows)


def _value(trial: Trial) -> str:
    return "" if trial.value is None else f"{trial.value:.4f}"


def _end(trial: Trial) -> str:
    return f"{trial.state} {trial.note}".strip()


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _history(metric: str, trials: Sequence[Trial]) -> LineChart:
    """The score of each whole trial, and the best so far."""
    points = [(one.number + 1.0, one.value) for one in trials if one.value is not None]
    best: list[tuple[float, float]] = []
    for place, value in points:
        better = not best or is_better(metric, value, than=best[-1][1])
        best.append((place, value if better else best[-1][1]))
    return LineChart(
        title="Course of the search",
        across="trial",
        up=f"{metric} on dev",
        series=[
            Series(name="trial", points=points, dots=True),
            Series(name="best", points=best),
        ],
        bounds=BOUNDS.get(metric, (0.0, 1.0)),
    )


def _importance(shares: Mapping[str, float]) -> BarChart:
    bars = [Bar(key, value) for key, value in shares.items()]
    said = ["share in what the scores of whole trials differ by (fANOVA)"]
    panel = Panel(title="Importance of the settings", said=said, bars=bars)
    return BarChart(title="Importance", panels=[panel])
