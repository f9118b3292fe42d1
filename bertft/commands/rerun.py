"""rerun: a finished run in; the same training again, and whether it comes to the same.

Recipe, seed, encoder revision, device, precision and threads are those of the record; data and
encoder are refused where their SHA-256 is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.commands.train import train
from bertft.errors import RunError
from bertft.jobs.request import TrainRequest
from bertft.loaders.json_text import read_json_text
from bertft.recipe import changes
from bertft.runs.folder import open_run
from bertft.runs.resume import told
from bertft.runs.stored import UNSCORED, read_environment, read_scores
from bertft.watch import Watch


@dataclass(frozen=True, slots=True)
class Repeat:
    """A run and its repetition.

    ``was`` and ``now`` are the values of each score; ``others`` counts predictions that differ, of
    ``predictions``; ``changed`` is what the two were made with where that is not the same.
    """

    run: Path
    repeats: Path
    metric: str
    was: dict[str, float]
    now: dict[str, float]
    predictions: int
    others: int
    changed: list[str]

    @property
    def is_same(self) -> bool:
        return self.was == self.now


def look_at_rerun(name: str, *, out: str = "", offline: bool = False) -> TrainRequest:
    """The request that repeats a run. Raises RunError where it has no record of scores."""
    run = open_run(name)
    missing = [one for one in ("recipe.toml", "environment.json") if not (run.path / one).is_file()]
    if missing:
        raise RunError(f"{run.path} cannot be repeated: it has no {', '.join(missing)}")
    if not run.scores or run.scores["split"] == UNSCORED:
        hint = f"bertft train {run.path / 'recipe.toml'} trains the same"
        raise RunError(f"{run.path} has no scores to compare with", hint=hint)
    recipe = run.recipe_name
    return TrainRequest(recipe=recipe, repeats=str(run.path), out=out, offline=offline)


def rerun(name: str, *, out: str = "", offline: bool = False, watch: Watch | None = None) -> Repeat:
    """Train a run again from its record.

    Raises:
        RunError: it has no record, or its data or encoder are others now.
    """
    request = look_at_rerun(name, out=out, offline=offline)
    repeats = Path(request.repeats)
    result = train(request, watch=watch)
    assert result is not None  # no dry run
    environments = [read_environment(run / "environment.json") for run in (repeats, result.run)]
    scores = [read_scores(run / "scores.json") for run in (repeats, result.run)]
    was, now = ({key: one["value"] for key, one in each["metrics"].items()} for each in scores)
    rows = [_predictions(run) for run in (repeats, result.run)]
    others = sum(a != b for a, b in zip(*rows, strict=False))
    return Repeat(
        result.run,
        repeats,
        result.scores["metric"],
        was,
        now,
        len(rows[1]),
        others + abs(len(rows[0]) - len(rows[1])),
        changes(*map(_made_with, environments)),
    )


def _made_with(environment: dict[str, Any]) -> dict[str, Any]:
    return told(environment) | {"machine": environment.get("machine", {})}


def _predictions(run: Path) -> list[dict[str, Any]]:
    """What was predicted for each example, without the probabilities."""
    path = run / "predictions.jsonl"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        rows = [read_json_text(line) for line in lines]
    return [{key: one.get(key) for key in PREDICTED} for one in rows]


PREDICTED = ("id", "label", "labels", "value", "entities", "answer", "no_answer")
"""Fields that say what was predicted; entities carry their probabilities with them."""
