"""Features mode beside fine-tuning: a run goes in, its counterpart comes out, compared.

The counterpart is the newest finished run in the same folder that was trained in the other mode,
with the same encoder, on the same files, and scored on the same examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.errors import RunError
from bertft.reports.curves import read_history
from bertft.reports.text import clean, table
from bertft.runs.compare import compare_runs
from bertft.runs.folder import Run, sibling_runs
from bertft.training.journal import read_journal


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: ``score`` has value, low and high; ``seconds`` are those of its steps."""

    name: str
    mode: str
    score: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class Beside:
    """A run and its counterpart; ``difference`` is that of ``runs compare``, own minus other."""

    own: Side
    other: Side
    difference: Mapping[str, float]


def find_beside(folder: Path, scores: Mapping[str, Any]) -> Beside | None:
    """The counterpart of a run whose predictions are written; None where there is none.

    Runs that cannot be compared (damaged, other held-out examples) are passed over.
    """
    own = Run(folder)
    if not own.environment:
        return None
    metric = scores["metric"]
    for other in reversed(sibling_runs(folder)):
        try:
            if own.mode != other.mode and _trained_on(own) == _trained_on(other):
                difference = compare_runs(str(other.path), str(folder))["metrics"][metric]
                sides = _side(own, scores["metrics"][metric]), _side(other, _score(other, metric))
                return Beside(*sides, difference)
        except (RunError, OSError, KeyError, TypeError):
            continue
    return None


def _trained_on(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    found = run.environment
    return found["model"]["files"], {name: one["sha256"] for name, one in found["data"].items()}


def _score(run: Run, metric: str) -> Mapping[str, float]:
    found: Mapping[str, float] = run.scores["metrics"][metric]
    return found


def _side(run: Run, score: Mapping[str, float]) -> Side:
    history = read_history(read_journal(run.path / "journal.jsonl"))
    return Side(run.path.resolve().name, run.mode, score, history.seconds)


def beside_table(beside: Beside | None, *, metric: str) -> str:
    """Both runs as HTML, and the difference; "" without a counterpart."""
    if beside is None:
        return ""
    rows = [
        [
            clean(one.name, most=60),
            clean(one.mode),
            f"{one.score['value']:.4f}",
            f"{one.score['low']:.4f} to {one.score['high']:.4f}" if "low" in one.score else "",
            f"{one.seconds:,.1f}",
        ]
        for one in (beside.own, beside.other)
    ]
    apart = beside.difference
    text = (
        f"{clean(metric)} of this run minus that of the other: {apart['b - a']:+.4f} "
        f"({apart['low']:+.4f} to {apart['high']:+.4f}), p = {apart['p']:.3f} by a paired "
        "bootstrap test. Seconds are those of the training steps; encoding is not counted."
    )
    header = ["run", "mode", clean(metric), "95 % interval", "seconds"]
    return table(header, rows, kind="left") + f'<p class="soft">{text}</p>'
