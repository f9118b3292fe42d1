"""The table of ``quality.py``: bertft beside Trainer with random and with grouped batches.

In: result files of ``quality.py peer`` and ``scores.json`` of bertft runs. Out: lines of Markdown,
mean and standard deviation over seeds, and the differences with a 95 % interval.

The interval is Welch's (Welch 1947), of two samples that share nothing: a seed draws other batches
and dropout masks on each side, so that runs of one seed are no pairs.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from scipy import stats

SIDES = ("bertft", "random", "grouped")
HEADER = (
    "| data | measure | bertft | Trainer random | Trainer grouped | bertft - random "
    "| bertft - grouped | runs |"
)

Found = dict[tuple[str, str], dict[str, list[float]]]
"""(data set, measure) -> side -> one value a seed."""


def table(results: Sequence[str], ours: Sequence[str]) -> Iterator[str]:
    """Lines of the table; the measures are those that the peer reports, else all of bertft's.

    ``ours`` are NAME=RUN/scores.json.
    """
    found: Found = {}
    for path in results:
        one = json.loads(Path(path).read_text(encoding="utf-8"))
        values = {**one["scores"], "seconds_training": one["seconds_training"]}
        for measure, value in values.items():
            sides = found.setdefault((one["name"], measure), {})
            sides.setdefault(one["settings"]["order"], []).append(value)
    for argument in ours:
        name, _, path = argument.partition("=")
        for measure, value in scores_of_run(Path(path)).items():
            if not results or (name, measure) in found:
                found.setdefault((name, measure), {}).setdefault("bertft", []).append(value)
    yield HEADER
    yield "|" + "---|" * (HEADER.count("|") - 1)
    for (name, measure), sides in found.items():
        yield f"| {' | '.join([name, measure, *cells(measure, sides)])} |"


def scores_of_run(path: Path) -> dict[str, float]:
    """The scores of a bertft run, with the seconds of its training steps."""
    metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    found = {name: one["value"] for name, one in metrics.items()}
    journal = path.parent / "journal.jsonl"
    if journal.is_file():
        steps = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
        found["seconds_training"] = sum(one.get("step_seconds", 0.0) for one in steps)
    return found


def cells(measure: str, sides: dict[str, list[float]]) -> Iterable[str]:
    """The three sides, two differences and the numbers of runs; scores in points."""
    scale, digits = (1, 1) if measure.startswith("seconds") else (100, 2)
    values = {side: [scale * one for one in sides.get(side, [])] for side in SIDES}
    yield from (spread(values[side], digits=digits) for side in SIDES)
    for side in SIDES[1:]:
        yield difference(values["bertft"], values[side], digits=digits)
    yield ", ".join(str(len(values[side])) for side in SIDES)


def spread(values: list[float], *, digits: int) -> str:
    """Mean and standard deviation; the mean alone of one run."""
    mean = f"{statistics.fmean(values):.{digits}f}" if values else "-"
    more = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return mean + more


def difference(own: list[float], other: list[float], *, digits: int) -> str:
    """Difference of the means with its interval, which takes two runs on each side."""
    if not own or not other:
        return "-"
    apart = statistics.fmean(own) - statistics.fmean(other)
    if min(len(own), len(other)) < 2:
        return f"{apart:+.{digits}f}"
    half = welch_half_width(own, other)
    return f"{apart:+.{digits}f} ({apart - half:+.{digits}f} to {apart + half:+.{digits}f})"


def welch_half_width(own: list[float], other: list[float]) -> float:
    """Half of the 95 % interval of a difference of means, of deviations that need not be equal."""
    parts = [(statistics.variance(one) / len(one), len(one) - 1) for one in (own, other)]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / count for part, count in parts)
    return float(stats.t.ppf(0.975, freedom)) * math.sqrt(variance)
