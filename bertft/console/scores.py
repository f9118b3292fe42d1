"""Scores for a person: metrics with intervals and baseline, classes, seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import TYPE_CHECKING, Any

from rich.table import Table

from bertft.console.tables import safe, short
from bertft.reports.tables import folds_line
from bertft.words import counted

if TYPE_CHECKING:
    from bertft.commands.train import TrainResult
    from bertft.console.console import Console


def show_scores(console: Console, content: Mapping[str, Any]) -> None:
    """Metrics with their intervals beside the baseline, then the classes."""
    if not content["metrics"]:
        console.say(str(content.get("note", "nothing was scored")))
        return
    title = safe(f"{content['split']}: {counted(content['n'], 'example')}")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("score", "value", "95 % CI", "baseline"):
        table.add_column(heading, justify="left" if heading == "score" else "right")
    hidden = equal_scores(content["metrics"])
    for name, score in content["metrics"].items():
        if name in hidden:
            continue
        low, high = score.get("low"), score.get("high")
        interval = "" if low is None or high is None else f"{low:.4f} - {high:.4f}"
        floor = content["baseline"].get(name)
        table.add_row(
            safe(name),
            f"{score['value']:.4f}",
            interval,
            "" if floor is None else f"{floor:.4f}",
        )
    console.print(table)
    if folds := content.get("folds"):
        console.say(folds_line(folds))
    if calibration := content.get("calibration"):
        console.say(calibration_line(calibration))
    for line in certainty_lines(content):
        console.say(line)
    if scope := content.get("out_of_scope"):
        console.say(scope_line(scope))
    show_classes(console, content.get("per_class", {}))


def calibration_line(content: Mapping[str, Any]) -> str:
    """The calibration error, and what it was before."""
    line = f"calibration error {content['calibration_error']:.4f}"
    if before := content.get("before"):
        line += f" (before calibration {before['calibration_error']:.4f})"
    return line


def certainty_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """What came of answers that were to be certain, and of sets of labels."""
    if found := content.get("selective"):
        yield (
            f"from a probability of {found['threshold']:.4f} on, {found['share']:.1%} of the "
            f"predictions are given; {_interval(found['accuracy'])} of these are right"
        )
    if found := content.get("coverage"):
        empty = f"; {found['empty']:,} are empty" if found["empty"] else ""
        yield (
            f"sets of {found['mean_size']:.2f} labels on average hold the right one in "
            f"{_interval(found['measured'])}{empty}"
        )


def scope_line(content: Mapping[str, Mapping[str, float]]) -> str:
    """How well texts out of scope are told from the others."""
    texts, refused = content["texts"], content["refused"]
    own = f"{refused['value']:.1%} of {texts['in_scope']:,.0f} texts in scope are refused"
    if not texts["out_of_scope"]:
        return own
    order = f"AUROC {_interval(content['auroc'])}; " if "auroc" in content else ""
    told = f"{content['recognised']['value']:.1%} of {texts['out_of_scope']:,.0f}"
    return f"out of scope: {order}{told} are recognised, {own}"


def _interval(one: Mapping[str, float]) -> str:
    return f"{one['value']:.4f} (95 % CI {one['low']:.4f} - {one['high']:.4f})"


def equal_scores(metrics: Mapping[str, Mapping[str, float]]) -> set[str]:
    """Scores that need not be shown: micro F1 is accuracy where each example has one label."""
    if not {"accuracy", "micro_f1"} <= metrics.keys():
        return set()
    accuracy, micro = metrics["accuracy"], metrics["micro_f1"]
    return {"micro_f1"} if all(isclose(accuracy[key], micro[key]) for key in accuracy) else set()


def show_classes(
    console: Console, classes: Mapping[str, Mapping[str, float]], *, most: int = 12
) -> None:
    """All classes; of very many those with the lowest F1."""
    chosen = list(classes.items())
    if len(classes) > most:
        chosen = sorted(chosen, key=lambda one: one[1]["f1"])[:most]
    rows = [
        [
            short(name),
            *(f"{c[key]:.4f}" for key in ("precision", "recall", "f1")),
            f"{c['support']:,.0f}",
        ]
        for name, c in chosen
    ]
    if rows:
        console.print()
        console.show_table(("class", "precision", "recall", "f1", "support"), rows)
    if len(classes) > most:
        console.note(f"the {most} classes with the lowest F1; all {len(classes)} in scores.json")


def show_seeds(
    console: Console, results: Sequence[TrainResult], summary: Mapping[str, float]
) -> None:
    """The metric of each seed's run, then mean and standard deviation."""
    metric = results[0].scores["metric"]
    rows = [(one.run, f"{one.scores['metrics'][metric]['value']:.4f}") for one in results]
    console.show_table(("run", f"{results[0].split} {metric}"), rows)
    mean, deviation = summary["mean"], summary["deviation"]
    console.say(f"mean {mean:.4f}, standard deviation {deviation:.4f} over {len(results)} seeds")
    if collapsed := int(summary["collapsed"]):
        console.note(f"{collapsed} collapsed: no better than always answering the majority class")
