"""The examples that a run was trained and chosen on, read again from where they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bertft.contracts import Task
from bertft.errors import DataError, RunError
from bertft.jobs.prepare import read_splits
from bertft.loaders.reading import read_examples
from bertft.recipe import load_recipe
from bertft.runs.folder import Run
from bertft.runs.inputs import found_recipe
from bertft.watch import Watch


def train_and_dev(
    run: Run, task: Task[Any], *, given: Mapping[str, str], watch: Watch
) -> Mapping[str, Sequence[Any]]:
    """``train`` and ``dev``, as for the training; no ``dev`` of a run that had none.

    ``given`` are files by their split that take the place of what the run recorded.

    Raises:
        RunError: the run has no recipe any more, or its data are not found.
    """
    path = run.path / "recipe.toml"
    hint = "say where they are now with --train FILE and --dev FILE"
    if not path.is_file():
        raise RunError(f"{run.path} does not say which data it was trained on", hint=hint)
    recipe = load_recipe(str(path))
    given = {split: file for split, file in given.items() if file}
    recipe = found_recipe(recipe, run.environment, run.path, given=given, tell=watch.note)
    data = recipe.data.model_copy(update={"test": ""})
    try:
        return read_splits(task, recipe.model_copy(update={"data": data}), watch=watch).splits
    except DataError as error:
        what = f"the data of {run.path} cannot be read: {error.message}"
        raise RunError(what, hint=hint) from None


def dev_of(run: Run, task: Task[Any], *, watch: Watch) -> Sequence[Any]:
    """The examples that a run was chosen on; none of a run without a dev set.

    Raises:
        RunError: the run has no recipe any more, or its data are not found.
    """
    path = run.path / "recipe.toml"
    if not path.is_file():
        raise RunError(f"{run.path} does not say which data it was chosen on")
    recipe = found_recipe(load_recipe(str(path)), run.environment, run.path, given={})
    if not recipe.data.dev:
        return train_and_dev(run, task, given={}, watch=watch).get("dev", [])
    try:
        return read_examples(task, recipe.data.dev, recipe.data, watch=watch)
    except DataError as error:
        raise RunError(f"the dev set of {run.path} cannot be read: {error}") from None


def some_of(examples: Sequence[Any], most: int) -> list[Any]:
    """At most so many, spread evenly over all."""
    return list(examples[:: -(-len(examples) // most)]) if examples else []
