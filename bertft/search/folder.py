"""The folder of a sweep: what was asked, the study, a run for each trial, and what is kept of them.

sweep.json       what is searched, how many trials, and in the end the winner
base/NAME.toml   the recipe that every trial starts from
study.db         the trials (study.py)
trials/0007      the run of a trial; in the end recipe and scores alone, but for the winner
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bertft.errors import RunError
from bertft.recipe import load_recipe
from bertft.runs.folder import new_run_folder
from bertft.runs.inputs import recorded_recipe
from bertft.runs.several import base_file
from bertft.runs.stored import UNSCORED, Stored, read_json
from bertft.runs.writing import new_file, write_json
from bertft.search.space import Dimension, read_space
from bertft.search.study import Study, Trial, combinations
from bertft.search.trials import dev_scores
from bertft.settings import Recipe

KEPT = {"recipe.toml", "scores.json"}
"""Files that stay of a trial that did not win."""
PLAN = "sweep.json"


class SweepFile(Stored):
    """What stands in sweep.json; there may be more."""

    recipe: str
    over: list[str]
    trials: int
    metric: str
    seed: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep on disk."""

    folder: Path
    plan: SweepFile
    base: Recipe

    @property
    def space(self) -> list[Dimension]:
        return read_space(self.base, self.plan.over)

    @property
    def count(self) -> int:
        """How many trials there will be: no more than there are combinations."""
        return int(min(self.plan.trials, combinations(self.space)))

    @property
    def recipe_file(self) -> Path:
        return self.folder / self.plan.recipe

    def run(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04}"

    def open_study(self) -> Study:
        return _study(self.folder, self.space, self.plan)


def new_sweep(
    recipe: Recipe, *, name: str, over: Sequence[str], trials: int, metric: str, out: str
) -> Path:
    """Create the folder of a sweep, whole or not at all.

    Raises:
        RunError: it exists, or cannot be created.
    """
    base = base_file(name)
    seed = recipe.training.seed
    plan = SweepFile(recipe=base, over=list(over), trials=trials, metric=metric, seed=seed)

    def write(folder: Path) -> None:
        (folder / "base").mkdir()
        (folder / "trials").mkdir()
        with new_file(folder / base) as file:
            file.write(recorded_recipe(recipe).to_toml())
        _study(folder, read_space(recipe, over), plan).close()
        write_json(folder / PLAN, plan.model_dump())

    return new_run_folder(out, recipe=f"sweep-{name}", write=write)


def open_sweep(folder: Path) -> Sweep:
    """A sweep by its folder. Raises RunError where it is none, or damaged."""
    path = folder / PLAN
    if not path.is_file():
        raise RunError(f"{folder} is no sweep (no {PLAN})", hint="give the folder of a sweep")
    try:
        plan = SweepFile.model_validate(read_json(path))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise RunError(f"{path}: not readable ({where})", hint="search anew") from None
    return Sweep(folder, plan, load_recipe(str(folder / plan.recipe)))


def _study(folder: Path, space: Sequence[Dimension], plan: SweepFile) -> Study:
    return Study(folder / "study.db", space, metric=plan.metric, seed=plan.seed)


def keep_the_best(sweep: Sweep, study: Study) -> None:
    """Of each trial that has ended keep recipe and scores; of the best one so far, all."""
    best = study.best()
    for trial in study.trials():
        run = sweep.run(trial.number)
        if trial.state == "running" or trial == best or not run.is_dir():
            continue
        if not (run / "scores.json").is_file():
            write_json(run / "scores.json", _scores(sweep, trial))
        for path in run.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _scores(sweep: Sweep, trial: Trial) -> dict[str, Any]:
    """What scores.json says of a trial that was not scored in the end."""
    metric, run = sweep.plan.metric, sweep.run(trial.number)
    scored = list(trial.by_epoch.values())
    metrics = {metric: {"value": scored[-1]}} if scored else {}
    found = dev_scores(run)
    return {
        "split": "dev" if scored else UNSCORED,
        "data": "",
        "n": found.examples if scored else 0,
        "metric": metric,
        "metrics": metrics,
        "baseline": {},
        "note": f"{trial.state}: {trial.note}",
    }
