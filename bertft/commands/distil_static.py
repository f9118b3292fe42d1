"""distil --to static: a run teaches vectors of tokens, which numpy answers with.

    teacher, texts -> soft labels; teacher's encoder -> token vectors; both -> a run with best/

It is a run without a recipe: it is scored on the teacher's test (else dev) data and compared with
it, but cannot be trained on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bertft.commands.distil import (
    DistilRequest,
    found_teachers,
    kept_of,
    teachers_recipe,
    write_soft_labels,
)
from bertft.commands.evaluate import write_scores
from bertft.commands.train import TrainResult
from bertft.errors import BertftError, RecipeError, RunError
from bertft.loaders.named import check_inputs
from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import Predictor
from bertft.prediction.scoring import doubts, score_split, scores_content
from bertft.prediction.static import make_static
from bertft.recipe import apply_override, validate
from bertft.reports.notebook import Scores
from bertft.reports.report import read_about
from bertft.runs.exported import is_export
from bertft.runs.folder import Run, free_run_folder, model_folder, new_run_folder
from bertft.runs.writing import write_json
from bertft.settings import Recipe, StaticSettings
from bertft.tasks import make_task
from bertft.watch import Watch

SEED = 13


def distil_static(request: DistilRequest, *, watch: Watch) -> TrainResult:
    """Make the run; what it keeps of the teacher's score is said.

    Raises:
        BertftError: the run, the texts or a setting is at fault.
    """
    check_inputs(request.files)
    settings = static_settings(request.overrides)
    if request.layers:
        raise RecipeError("--layers: a static model has no layers", hint="leave it out")
    runs = found_teachers(request)
    run = runs[0]
    recipe = teachers_recipe(run, watch=watch)
    _check(run, recipe)
    out = free_run_folder(request.out, recipe="static")
    path = recipe.data.test or recipe.data.dev
    if not path:
        raise BertftError(f"{run.path} has no test or dev data to score the static model on")
    soft = write_soft_labels(runs, request, out, watch=watch)
    teacher = Predictor(model_folder(run), device="cpu", precision="fp32")

    def write(folder: Path) -> None:
        (folder / "best").mkdir()
        make_static(
            teacher,
            recipe,
            soft,
            folder / "best",
            settings=settings,
            seed=SEED if request.seed is None else request.seed,
            name=run.path.name,
            watch=watch,
        )
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        content = {"recipe": teacher.card.get("recipe", ""), "mode": "static", "started": started}
        write_json(folder / "environment.json", content)

    new_run_folder(str(out), recipe="", write=write)
    result = _scored(out, recipe, path, watch=watch)
    if said := kept_of(run, result):
        watch.note(said)
    return result


def static_settings(overrides: tuple[str, ...]) -> StaticSettings:
    """What ``--set static.KEY=VALUE`` says. Raises RecipeError for other settings."""
    found: dict[str, Any] = {"static": {}}
    origins = {apply_override(found, one): f"--set {one}" for one in overrides}
    if other := [one for key, one in origins.items() if not key.startswith("static.")]:
        names = ", ".join(f"static.{name}" for name in StaticSettings.model_fields)
        raise RecipeError(f"{other[0]}: no setting of a static model", hint=f"it has {names}")
    origins = {key.removeprefix("static."): one for key, one in origins.items()}
    return validate(StaticSettings, found["static"], where="static", origins=origins)


def _check(run: Run, recipe: Recipe) -> None:
    """Raise BertftError where the run cannot teach a static model."""
    if is_export(model_folder(run)):
        raise RunError(f"{run.path} is no model of torch", hint="give the run that it was made of")
    pairs = getattr(getattr(make_task(recipe.task), "options", None), "pairs", False)
    if recipe.task["name"] != "classification" or pairs:
        what = "a static model knows single words: it is for classification of single texts"
        raise BertftError(f"{what}, not of pairs", hint="--to minilm, or another encoder")


def _scored(out: Path, recipe: Recipe, path: str, *, watch: Watch) -> TrainResult:
    """Scores of the static model on the teacher's test or dev data, written into the run."""
    predictor = Predictor(out / "best")
    split = "test" if recipe.data.test else "dev"
    examples = read_examples(predictor.task, path, recipe.data, watch=watch)
    predictor.task.check(examples, path=path)
    metric = recipe.training.metric
    scored = score_split(predictor, examples, split=split, path=path, metric=metric, watch=watch)
    if doubt := doubts(scored):
        watch.note(doubt)
    content = scores_content(scored)
    write_scores(out, scored, content, about=read_about(out, task=recipe.task))
    return TrainResult(out, predictor.task.name, split, Scores(content), None)
