"""A folder of runs that differ in one thing, a seed or a fold: what was asked, and where they are.

several.json      what they differ in, and the values
base/NAME.toml    the recipe that each of them starts from
seed-13, fold-1   a run each
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bertft.contracts import SelfSupervised
from bertft.errors import RecipeError, RunError
from bertft.jobs.request import TrainRequest
from bertft.loaders.files import STDIN
from bertft.runs.folder import new_run_folder
from bertft.runs.inputs import recorded_recipe
from bertft.runs.stored import Stored, read_json
from bertft.runs.writing import new_file, write_json
from bertft.settings import Recipe
from bertft.tasks import make_task

PLAN = "several.json"
Kind = Literal["seed", "fold"]


class SeveralFile(Stored):
    """What stands in several.json; there may be more."""

    recipe: str
    kind: Kind
    values: list[int]


@dataclass(frozen=True, slots=True)
class Several:
    """Runs in one folder."""

    folder: Path
    plan: SeveralFile

    @property
    def recipe_file(self) -> Path:
        return self.folder / self.plan.recipe

    @property
    def runs(self) -> dict[int, Path]:
        """The run directory of each seed or fold, whether it is there or not."""
        return {one: self.folder / f"{self.plan.kind}-{one}" for one in self.plan.values}

    def request(self, value: int, *, offline: bool) -> TrainRequest:
        """What trains the run of a seed or fold, or goes on with it."""
        run = self.runs[value]
        if run.is_dir():
            return TrainRequest(recipe="", resume=str(run), offline=offline)
        own = f"training.seed={value}"
        if self.plan.kind == "fold":
            own = f"data.fold={value}/{len(self.plan.values)}"
        recipe = str(self.recipe_file)
        return TrainRequest(recipe=recipe, overrides=(own,), out=str(run), offline=offline)


def base_file(name: str) -> str:
    """Where the recipe stands that runs start from; ``recipe.toml`` would make the folder a run."""
    return f"base/{'base' if name == 'recipe' else name}.toml"


def new_several(
    recipe: Recipe, *, name: str, kind: Kind, values: Sequence[int], out: str
) -> Several:
    """Create the folder, whole or not at all.

    Raises:
        RunError: it exists, or cannot be created.
    """
    plan = SeveralFile(recipe=base_file(name), kind=kind, values=list(values))

    def write(folder: Path) -> None:
        (folder / "base").mkdir()
        with new_file(folder / plan.recipe) as file:
            file.write(recorded_recipe(recipe).to_toml())
        write_json(folder / PLAN, plan.model_dump())

    return Several(new_run_folder(out, recipe=name, write=write), plan)


def is_several(folder: Path) -> bool:
    return (folder / PLAN).is_file()


def open_several(folder: Path) -> Several:
    """The runs of a folder, to go on with. Raises RunError where it is damaged."""
    try:
        plan = SeveralFile.model_validate(read_json(folder / PLAN))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise RunError(f"{folder / PLAN}: not readable ({where})", hint="train anew") from None
    return Several(folder, plan)


def look_at_several(request: TrainRequest, recipe: Recipe, *, kind: Kind) -> None:
    """Raise RecipeError for a recipe whose runs cannot be compared, or have no folds."""
    data = recipe.data
    if STDIN in (data.train, *data.further):
        raise RecipeError(f"--{kind}s reads the data for each run", hint="save them to a file")
    if kind == "seed":
        if not (data.has_dev or data.test):
            raise RecipeError("--seeds compares scores", hint="give --test or --dev")
        return
    if request.test:
        raise RecipeError("--folds scores the training rows", hint="leave out --test")
    if data.fold:
        raise RecipeError("data.fold is one of --folds", hint="leave one of them out")
    if isinstance(make_task(recipe.task), SelfSupervised):
        raise RecipeError("--folds is for tasks with gold", hint="pre-training has none")


def first_of(request: TrainRequest, *, kind: Kind, count: int) -> TrainRequest:
    """The request for the first of several runs, for a dry run: all of them cost the same."""
    if kind == "seed":
        return request
    own = (f"data.fold=1/{count}", 'data.test=""')
    return replace(request, overrides=(*request.overrides, *own))
