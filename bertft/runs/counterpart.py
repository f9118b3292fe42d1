"""One mode of training beside another: a run goes in, its counterpart comes out, compared.

The counterpart is the newest finished run in the same folder that was trained in another mode,
with the same encoder, on the same files, and scored on the same examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.errors import RunError
from bertft.runs.compare import compare_runs
from bertft.runs.folder import Run, sibling_runs
from bertft.training.history import read_history
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
