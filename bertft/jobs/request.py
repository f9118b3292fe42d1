"""What ``train`` is asked for, and the recipe that comes of it: flags laid over a recipe."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertft.errors import RecipeError, RunError
from bertft.recipe import bundled_recipes, load_recipe
from bertft.settings import DataSettings, Recipe

ALIASES = "task.label_aliases"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What ``bertft train`` is asked for; empty texts mean "as the recipe says"."""

    recipe: str
    overrides: tuple[str, ...] = ()
    train: str = ""
    dev: str = ""
    test: str = ""
    model: str = ""
    out: str = ""
    seed: int | None = None
    resume: str = ""
    repeats: str = ""
    """A finished run that is to be trained again from its record."""
    offline: bool = False
    dry_run: bool = False
    on_bad_row: str = ""
    budget: str = ""
    """The time that all of it may take, as in 10m; what fits is trained (runs/budget.py)."""
    began: float = field(default_factory=time.monotonic, compare=False)


def read_recipe(request: TrainRequest) -> Recipe:
    """The recipe with the request's flags laid over it; of a resumed run, its own recipe.

    Where the data of a resumed run are now is not its recipe's to say (runs/inputs.py).
    """
    if request.resume:
        changed = (request.overrides, request.out, request.on_bad_row, request.budget)
        if any(changed) or request.seed is not None:
            raise RecipeError(
                "--resume goes on with the run's own recipe",
                hint="leave out flags other than --train, --dev, --test and --model, which say "
                "where its data and its encoder are now",
            )
        return unfinished_recipe(Path(request.resume))
    if request.repeats:
        return load_recipe(str(Path(request.repeats) / "recipe.toml"))
    recipe = load_recipe(request.recipe, overrides=request.overrides)
    data = _own_files(recipe.data, request)
    if request.recipe in bundled_recipes() and data.train != load_recipe(request.recipe).data.train:
        recipe = without_aliases(recipe, request.overrides)
    model, training = recipe.model, recipe.training
    if request.model:
        model = model.model_copy(update={"name": request.model})
    if request.seed is not None:
        training = training.model_copy(update={"seed": request.seed})
    if not data.has_dev:  # nothing tells which weights are the best
        training = training.model_copy(update={"keep": "last"})
    check_mode(recipe)
    return recipe.model_copy(update={"data": data, "model": model, "training": training})


def check_mode(recipe: Recipe) -> None:
    """Raise RecipeError where few-shot mode is asked for what it cannot learn, or LoRA for an
    encoder that is frozen."""
    if recipe.training.mode == "lora" and recipe.training.freeze == "encoder":
        what = "training.mode = lora trains adapters in the encoder, training.freeze = encoder none"
        raise RecipeError(what, hint="--set training.mode=features, or training.freeze=layers:4")
    if recipe.training.mode == "few-shot" and not can_be_few_shot(recipe):
        task = recipe.task
        is_single = task["name"] == "classification" and not task.get("regression")
        what = (
            "pairs of texts" if is_single else "numbers" if task.get("regression") else task["name"]
        )
        hint = "--set training.mode=fine-tune, or features"
        raise RecipeError(f"few-shot mode learns labels of single texts, not {what}", hint=hint)


def can_be_few_shot(recipe: Recipe) -> bool:
    """Whether the recipe learns labels of single texts."""
    task = recipe.task
    others = any(task.get(option) for option in ("regression", "pairs", "pair_column"))
    return task["name"] == "classification" and not others


def without_aliases(recipe: Recipe, overrides: Iterable[str]) -> Recipe:
    """The recipe with those ``label_aliases`` only that ``overrides`` name.

    Its own speak of its own data: what 0 and 1 mean in another file is not known.
    """
    asked = [one.partition("=")[0].strip() for one in overrides]
    aliases = recipe.task.get("label_aliases")
    if ALIASES in asked or not isinstance(aliases, dict):
        return recipe
    kept = {key: name for key, name in aliases.items() if f"{ALIASES}.{key}" in asked}
    return recipe.model_copy(update={"task": recipe.task | {"label_aliases": kept}})


def unfinished_recipe(run: Path) -> Recipe:
    """The recipe of a run to go on with. Raises RunError when it is no run, or finished."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise RunError(f"{run} is no run (no {path.name})", hint="give the directory of a run")
    if (run / "scores.json").exists():
        raise RunError(f"{run} is finished", hint=f"bertft eval {run}, or train anew")
    return load_recipe(str(path))


def _own_files(data: DataSettings, request: TrainRequest) -> DataSettings:
    """With ``--train``, the recipe's other files are other data and no longer used; those that
    ``--set`` names are."""
    update: dict[str, Any] = {}
    if request.train:
        asked = {one.partition("=")[0].strip() for one in request.overrides}
        others = {"further": [], "dev": "", "test": ""}
        update = {name: none for name, none in others.items() if f"data.{name}" not in asked}
        update["train"] = request.train
    update |= {name: getattr(request, name) for name in ("dev", "test") if getattr(request, name)}
    if request.on_bad_row:
        update["on_bad_row"] = request.on_bad_row
    return data.model_copy(update=update)
