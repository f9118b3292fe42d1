"""What can be refused before torch is imported: recipe, files, model and run of a request.

A slip is answered at once that way. What is read here is read again by whoever does the work, which
holds for the Python API as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertft.encoder.find import check_name
from bertft.errors import DataError, RecipeError
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.loaders.files import STDIN, resolve
from bertft.recipe import HUB
from bertft.runs.folder import Run, find_run, free_run_folder, model_folder, newest_run
from bertft.runs.inputs import found_recipe, given_inputs
from bertft.runs.stored import read_card, read_environment
from bertft.runs.tracker import check_tracker
from bertft.settings import Recipe

if TYPE_CHECKING:
    from bertft.contracts import Task


def look_at_training(request: TrainRequest) -> Recipe:
    """The recipe of a request to train, found right as far as that goes without torch.

    Raises:
        BertftError: the recipe, a file, the model's name or the run directory is at fault.
    """
    recipe = look_at_recipe(request)
    check_tracker(recipe)
    if request.resume:
        run = Path(request.resume)
        was = read_environment(run / "environment.json")
        recipe = found_recipe(recipe, was, run, given=given_inputs(request))
    look_at_files([*_files(recipe), recipe.data.corrections])
    check_name(recipe.model.name)
    if request.out:
        free_run_folder(request.out, recipe=request.recipe)
    return recipe


def look_at_recipe(request: TrainRequest, *, some_files: bool = False) -> Recipe:
    """The recipe of a request alone; with ``some_files`` at least one of its files is there.

    Raises:
        BertftError: the recipe is at fault, or there is none of its files.
    """
    recipe = read_recipe(request)
    from bertft.tasks import make_task  # a slip in the recipe is told without numpy, too

    make_task(recipe.task)
    faults: list[DataError] = []
    for path in _files(recipe) if some_files else []:
        try:
            look_at_files([path])
        except DataError as error:
            faults.append(error)
    if faults and len(faults) == len(_files(recipe)):
        raise faults[0]
    return recipe


def look_at_labels(recipe: Recipe, *, out: str) -> None:
    """Raise BertftError where labels of such a task cannot be doubted, or ``out`` is there."""
    from bertft.evaluation.label_quality import check_installed
    from bertft.tasks import make_task
    from bertft.tasks.review import check_free
    from bertft.tasks.suspects import refuse_others

    refuse_others(make_task(recipe.task), "--labels")
    check_installed()
    check_free(out)


def look_at_curve(recipe: Recipe) -> None:
    """Raise RecipeError where there is no score that could grow with the data."""
    from bertft.contracts import SelfSupervised
    from bertft.tasks import make_task

    if isinstance(make_task(recipe.task), SelfSupervised):
        raise RecipeError("curve is for tasks with gold", hint="pre-training has none")
    if not (recipe.data.has_dev or recipe.data.test):
        raise RecipeError("a learning curve needs scores", hint="give --test or --dev")


def _files(recipe: Recipe) -> list[str]:
    data = recipe.data
    return [path for path in (data.train, *data.further, data.dev, data.test) if path]


def look_at_run(name: str, *, overrides: Iterable[str] = ()) -> Run:
    """The run of a name, the newest for "", if its task has the settings that are overridden.

    Raises:
        BertftError: there is no such run, or an override is wrong.
    """
    from bertft.loaders.reading import input_settings
    from bertft.tasks import bound_task, with_columns

    settings = input_settings(overrides)
    run = find_run(name) if name else newest_run(None)
    task: Task[Any] = bound_task(read_card(model_folder(run)))
    with_columns(task, settings)
    return run


def look_at_files(paths: Iterable[str]) -> None:
    """Raise DataError for the first that is not there."""
    for path in paths:
        if path and path != STDIN and not path.startswith(HUB):
            resolve(path)
