"""The tasks. A new one is a file here, a line in TASKS and a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertft.contracts import Task
from bertft.errors import RecipeError, did_you_mean
from bertft.tasks.classification import Classification

TASKS: dict[str, Any] = {"classification": Classification}


def make_task(settings: Mapping[str, Any]) -> Task[Any]:
    """The task that a recipe's ``[task]`` table describes. Raises RecipeError for wrong options."""
    name = settings.get("name", "")
    if name not in TASKS:
        raise RecipeError(f"[task]: no task '{name}'", hint=did_you_mean(str(name), TASKS))
    task: Task[Any] = TASKS[name].from_options(settings)
    return task
