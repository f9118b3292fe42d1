"""The tasks. A new one is a file here, a line in TASKS and a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

from bertft.contracts import Batched, Ranking
from bertft.errors import RecipeError, RunError, did_you_mean
from bertft.settings import Recipe

if TYPE_CHECKING:
    from bertft.contracts import Answer, Pieces, Task

TASKS = {
    "classification": "regression",
    "nli": "nli",
    "ner": "ner",
    "qa": "qa",
    "pretraining": "pretraining",
    "retrieval": "retrieval",
}
"""The module of each, whose ``from_options`` makes it; only the one that is asked for is read."""
TOGETHER = 1024
"""Examples whose answers are made at once."""


def make_task(settings: Mapping[str, Any]) -> Task[Any]:
    """The task that a recipe's ``[task]`` table describes. Raises RecipeError for wrong options."""
    name = settings.get("name", "")
    if not isinstance(name, str) or name not in TASKS:
        raise RecipeError(f"[task]: no task '{name}'", hint=did_you_mean(str(name), TASKS))
    task: Task[Any] = import_module(f"{__name__}.{TASKS[name]}").from_options(settings)
    return task


def bound_task(card: Mapping[str, Any]) -> Task[Any]:
    """The task of a saved model, with its labels and what it learned. Raises BertftError."""
    try:
        return make_task(card["task"]).bind(card["labels"], card["learned"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"bertft.json: 'learned' does not fit its task ({error!r})") from None


def with_columns(task: Any, settings: Recipe) -> Any:
    """The task with ``task.`` overrides (column names) of this call."""
    changed = {key: value for key, value in settings.task.items() if key != "name"}
    if not changed:
        return task
    options = {**task.options.model_dump(), **changed}
    return make_task({"name": task.name, **options}).bind(task.labels, task.learned)


def answers_of(
    task: Task[Any],
    examples: Sequence[Any],
    pieces: Sequence[Pieces],
    *,
    top_k: int | None = None,
) -> list[Answer]:
    """The answers of examples; where a task ranks, and there is gold, among all of them."""
    if isinstance(task, Ranking) and examples and all(one.is_gold for one in examples):
        return task.ranked(examples, pieces)
    if not isinstance(task, Batched):
        return [task.decode(*one, top_k=top_k) for one in zip(examples, pieces, strict=True)]
    some = (slice(start, start + TOGETHER) for start in range(0, len(examples), TOGETHER))
    made = (task.answers(examples[one], pieces[one], top_k=top_k) for one in some)
    return [*chain.from_iterable(made)]
