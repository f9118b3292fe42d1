"""train --seeds and train --folds: runs of one recipe that differ in one thing, in one folder.

    recipe -> folder and its plan (runs/several.py) -> a run for each seed or fold -> one summary

Whatever stops them, they go on: a run that is finished stays, one that was begun goes on.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bertft.commands.evaluate import write_scores
from bertft.commands.train import TrainResult, train
from bertft.errors import BertftError
from bertft.evaluation.statistic import floor_of, seed_summary
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.prediction.out_of_fold import out_of_fold
from bertft.recipe import load_recipe
from bertft.reports.notebook import Scores
from bertft.reports.page import About
from bertft.runs.folder import Run, drop_begun
from bertft.runs.lock import locked
from bertft.runs.several import Kind, Several, look_at_several, new_several, open_several
from bertft.runs.stops import stops_told_of_all
from bertft.settings import Recipe
from bertft.training import processes
from bertft.training.history import read_history
from bertft.watch import Silent, Watch


@dataclass(frozen=True, slots=True)
class Folds:
    """The folder of a cross-validation, its runs, and the scores of all rows, each out of fold."""

    folder: Path
    runs: list[TrainResult]
    scores: Scores


def train_seeds(
    request: TrainRequest, *, count: int = 0, watch: Watch | None = None
) -> tuple[list[TrainResult], dict[str, float]]:
    """The same recipe with ``count`` seeds; the metric's mean and standard deviation over the runs.

    ``collapsed`` counts runs whose dev score is no better than always answering the majority class.
    ``request.resume`` is the folder of such runs.
    """
    watch = watch or Silent()
    recipe = _recipe(request, kind="seed")
    seeds = range(recipe.training.seed, recipe.training.seed + count)
    with ExitStack() as held:
        several = _opened(request, recipe, kind="seed", values=list(seeds), watch=watch, held=held)
        results = _train_each(several, offline=request.offline, watch=watch)
    metric = results[0].scores["metric"]
    values = [one.scores["metrics"][metric]["value"] for one in results]
    floors = [floor_of(metric, one.scores["baseline"]) for one in results]
    return results, seed_summary(metric, values, floors=floors)


def train_folds(request: TrainRequest, *, count: int = 0, watch: Watch | None = None) -> Folds:
    """A run for each of ``count`` folds; every training row scored by the run that held it out.

    ``request.resume`` is the folder of such runs.

    Raises:
        BertftError: the recipe, its data or the folder is at fault.
        Interrupted: SIGINT or SIGTERM came; what is done is kept.
    """
    watch = watch or Silent()
    recipe = _recipe(request, kind="fold")
    if recipe.data.test:
        watch.note(f"{recipe.data.test} is not read: every training row is scored, out of fold")
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"test": ""})})
    numbers = list(range(1, count + 1))
    with ExitStack() as held:
        several = _opened(request, recipe, kind="fold", values=numbers, watch=watch, held=held)
        results = _train_each(several, offline=request.offline, watch=watch)
        scores = processes.main_decides(lambda: _score(several))
    return Folds(several.folder, results, Scores(scores))


def _recipe(request: TrainRequest, *, kind: Kind) -> Recipe:
    if request.resume:
        return load_recipe(str(open_several(Path(request.resume)).recipe_file))
    recipe = read_recipe(request)
    look_at_several(request, recipe, kind=kind)
    return recipe


def _opened(
    request: TrainRequest,
    recipe: Recipe,
    *,
    kind: Kind,
    values: list[int],
    watch: Watch,
    held: ExitStack,
) -> Several:
    """The folder, new or again: locked, cleared of what a kill has left half made."""
    processes.join(cpu=recipe.training.device == "cpu")

    def new() -> Several:
        name = Path(request.recipe).stem
        return new_several(recipe, name=name, kind=kind, values=values, out=request.out)

    again = Path(request.resume)
    several = open_several(again) if request.resume else processes.main_decides(new)
    held.enter_context(stops_told_of_all(f"bertft train --resume {several.folder}"))
    if processes.is_main():
        held.enter_context(locked(several.folder, tell=watch.note))
        drop_begun(several.folder)
    return several


def _train_each(several: Several, *, offline: bool, watch: Watch) -> list[TrainResult]:
    """Train what is not finished, in order."""
    results = []
    for place, (value, run) in enumerate(several.runs.items(), start=1):
        if content := processes.main_decides(Run(run).scores.copy):
            results.append(TrainResult(run, Run(run).task, content["split"], Scores(content), None))
            continue
        watch.note(f"{several.plan.kind} {value}: run {place} of {len(several.runs)}")
        request = processes.main_decides(partial(several.request, value, offline=offline))
        try:
            result = train(request, watch=watch)
        except BertftError:
            if processes.is_main() and not any(one.exists() for one in several.runs.values()):
                shutil.rmtree(several.folder)  # nothing was trained: it may be asked for again
            raise
        assert result is not None
        results.append(result)
    return results


def _score(several: Several) -> dict[str, Any]:
    """Write predictions.jsonl, report.html and scores.json of all folds together."""
    file = several.recipe_file
    recipe = load_recipe(str(file))
    scored, content = out_of_fold(several.runs, recipe)
    name, environment = several.folder.resolve().name, Run(several.runs[1]).environment
    about = About(name, recipe.task, file.read_text("utf-8"), environment, read_history(()))
    write_scores(several.folder, scored, content, about=about)
    return content
