"""The tables of a report: scores go in, rows of plain text come out; each says what it leaves out.

A page escapes what a table holds, whatever that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertft.reports.examples import Seen
    from bertft.runs.counterpart import Beside

CLASSES = 100
"""Rows of the table of classes."""
SQUARE = 20
"""Classes of a confusion matrix; of more there is a picture, and the most frequent are listed."""
EASY = 4
"""Classes of a matrix that is read at a glance, without such a list."""
CONFUSIONS = 40


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, with notes below them.

    ``kind``: "left" for words rather than numbers, "pairs" for two columns of words, "many" for
    columns that a phone shows below the row's name.
    """

    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    kind: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A count of a confusion matrix, and its share of the row's."""

    count: int
    share: float
    right: bool


def interval(one: Mapping[str, float], *, sign: str = "") -> str:
    return f"{one['low']:{sign}.4f} to {one['high']:{sign}.4f}" if "low" in one else ""


def scores_table(scores: Mapping[str, Any]) -> Table:
    """Each score with its interval, beside the baseline and what it is without train."""
    baseline, unseen = scores["baseline"], scores.get("without_train", {})
    header = ["score", "value", "95 % CI"]
    header += ["baseline"] * bool(baseline) + ["without train"] * bool(unseen)
    rows = []
    for name, one in scores["metrics"].items():
        row = [name, f"{one['value']:.4f}", interval(one)]
        if baseline:
            row.append(_number(baseline.get(name)))
        if unseen:
            row.append(_number(unseen["metrics"].get(name)))
        rows.append(row)
    notes = [f"The baseline {_baseline(scores['metrics'])}."] if baseline else []
    if unseen:
        one = (
            "the 1 example that is"
            if unseen["n"] == 1
            else f"the {unseen['n']:,} examples that are"
        )
        notes.append(f"Without train: {one} not also in train.")
    if folds := scores.get("folds"):
        notes.append(f"{folds_line(folds).capitalize()}.")
    return Table(header, rows, "many", notes)


def folds_line(folds: Mapping[str, Any]) -> str:
    """The score of each fold, and their spread."""
    values = ", ".join(f"{one:.4f}" for one in folds["values"])
    mean, deviation = folds["mean"], folds["deviation"]
    return f"by fold {values}: mean {mean:.4f}, standard deviation {deviation:.4f}"


def _baseline(metrics: Mapping[str, Any]) -> str:
    if "mlm_loss" in metrics:
        return "knows only how often each token stands in the training text"
    if "exact_match" in metrics:
        return "never gives an answer"
    if "recall@1" in metrics:
        return "is the mean of all orders of the passages"
    return "always predicts the most frequent label"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def beside_table(beside: Beside | None, *, metric: str) -> Table:
    """A run and its counterpart, and the difference; no rows without one."""
    if beside is None:
        return Table()
    rows = [
        [
            one.name,
            one.mode,
            f"{one.score['value']:.4f}",
            interval(one.score),
            f"{one.seconds:,.1f}",
        ]
        for one in (beside.own, beside.other)
    ]
    apart = beside.difference
    note = (
        f"{metric} of this run minus that of the other: {apart['b - a']:+.4f} "
        f"(95 % CI {interval(apart, sign='+')}), p = {apart['p']:.3f} by a paired bootstrap test. "
        "Seconds are those of the training steps; encoding is not counted."
    )
    return Table(["run", "mode", metric, "95 % CI", "seconds"], rows, "many", [note])


def questions_table(scores: Mapping[str, Any], seen: Seen) -> Table:
    """Questions that have an answer beside those that have none, where there are both."""
    values = {name: one["value"] for name, one in scores["metrics"].items()}
    if "no_answer_accuracy" not in values:
        return Table()
    overlap = "rouge_w" if "rouge_w" in values else "f1"
    exact, common = values["has_answer_exact_match"], values[f"has_answer_{overlap}"]
    without = f"{values['no_answer_accuracy']:.4f}"
    rows = [
        ["with an answer", f"{seen.count - seen.unanswerable:,}", f"{exact:.4f}", f"{common:.4f}"],
        ["without an answer", f"{seen.unanswerable:,}", without, without],
    ]
    return Table(["questions", "count", "exact match", overlap], rows)


def classes_table(classes: Mapping[str, Mapping[str, float]]) -> Table:
    """Scores of each class, the worst F1 first; of very many, the worst."""
    if not classes:
        return Table()
    order = sorted(classes, key=lambda name: (classes[name]["f1"], -classes[name]["support"]))
    rows = [
        [
            name,
            *(
                f"{value:,.0f}" if column in ("support", "predicted") else f"{value:.3f}"
                for column, value in classes[name].items()
            ),
        ]
        for name in order[:CLASSES]
    ]
    notes = ["The worst F1 first."] if len(classes) > 2 else []
    if left := len(order) - len(rows):
        notes.append(f"{left:,} better {_classes(left)} left out; scores.json has them.")
    return Table(["class", *next(iter(classes.values()))], rows, "many", notes)


def _classes(count: int) -> str:
    return "class is" if count == 1 else "classes are"


def confusion_square(counts: Mapping[str, Mapping[str, int]]) -> dict[str, list[Cell]]:
    """The rows of a confusion matrix by gold label; empty where it would be too large to read."""
    if len(counts) > SQUARE:
        return {}
    found = {}
    for gold, row in counts.items():
        total = max(1, sum(row.values()))
        cells = [(row.get(name, 0), name == gold) for name in counts]
        found[gold] = [Cell(one, round(0.75 * one / total, 2), right) for one, right in cells]
    return found


def confused_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """The most frequent confusions, with their share of the gold label's examples."""
    if len(counts) <= EASY:
        return Table()
    from bertft.evaluation.confusions import confusions  # with numpy, which a list of runs spares

    wrong = confusions(counts)
    rows = [
        [one.gold, one.predicted, f"{one.count:,}", f"{one.share:.0%}"]
        for one in wrong[:CONFUSIONS]
    ]
    left = len(wrong) - len(rows)
    more = f"{left:,} rarer {'confusion is' if left == 1 else 'confusions are'} left out; "
    header = ["gold", "predicted", "count", "of gold"]
    return Table(header, rows, "pairs", [f"{more}scores.json has them."] if left else [])


def calibration_table(content: Mapping[str, Any]) -> Table:
    """Calibration error, Brier score and NLL, before and after calibration."""
    before = content.get("before", {})
    names = {"calibration error": "calibration_error", "Brier score": "brier", "NLL": "nll"}
    rows = [
        [name, f"{content[key]:.4f}", *([f"{before[key]:.4f}"] if before else [])]
        for name, key in names.items()
    ]
    if "aurc" in content:
        rows.append(["AURC", f"{content['aurc']:.4f}", *([""] if before else [])])
    many = (
        "1 prediction" if content["predictions"] == 1 else f"{content['predictions']:,} predictions"
    )
    notes = [
        f"Of {many} (a label, an answer, an entity, or one label of several). Calibration error: "
        "the mean distance between confidence and the share that is right, over bins of equally "
        f"many predictions; by chance alone it would be {content['by_chance']:.4f}."
    ]
    if "aurc" in content:
        notes.append("AURC: the mean share of wrong ones among the most certain predictions.")
    if before:
        notes.append("Calibration was fitted on dev.")
    return Table(["", "value", *(["before"] if before else [])], rows, "", notes)


def scope_table(content: Mapping[str, Mapping[str, float]]) -> Table:
    """How well texts out of scope are told from the others, where they were to be."""
    if not content:
        return Table()
    names = {
        "AUROC": "auroc",
        "recognised (recall)": "recognised",
        "precision": "precision",
        "F1": "f1",
        "refused, though in scope": "refused",
        "right in all": "accuracy",
    }
    rows = [
        [name, f"{content[key]['value']:.4f}", interval(content[key])]
        for name, key in names.items()
        if key in content
    ]
    inside, outside = (content["texts"][name] for name in ("in_scope", "out_of_scope"))
    note = (
        f"Of {inside:,.0f} texts in scope and {outside:,.0f} out of scope. The other scores are of "
        "texts in scope, as though none of them were refused."
    )
    return Table(["out of scope", "value", "95 % CI"], rows, "", [note])


def bins_table(bins: Sequence[tuple[int, float, float]]) -> Table:
    """Predictions of about one confidence: how many, their mean, and the share that is right."""
    rows = [[f"{count:,}", f"{mean:.3f}", f"{right:.3f}"] for count, mean, right in bins]
    return Table(["predictions", "mean confidence", "right"], rows)
