"""What ``sweep`` is asked for; and what can be refused of it before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertft.errors import RecipeError
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.search.folder import new_sweep
from bertft.search.space import read_space
from bertft.settings import Recipe
from bertft.tasks import make_task


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """A training, what to search in its recipe, or (``resume``) the folder of a sweep."""

    train: TrainRequest
    over: tuple[str, ...] = ()
    trials: int = 20
    resume: str = ""


def look_at_sweep(request: SweepRequest) -> Recipe:
    """The recipe that is searched. Raises RecipeError where there is nothing to choose by."""
    recipe = read_recipe(request.train)
    read_space(recipe, request.over, overrides=request.train.overrides)
    if not recipe.data.has_dev:
        raise RecipeError("a sweep chooses by dev scores", hint="give --dev, or data.dev_share")
    return recipe


def create_sweep(request: SweepRequest) -> Path:
    """The folder of a new sweep."""
    recipe = look_at_sweep(request)
    return new_sweep(
        recipe,
        name=Path(request.train.recipe).stem,
        over=request.over,
        trials=request.trials,
        metric=recipe.training.metric or make_task(recipe.task).metric,
        out=request.train.out,
    )
