"""Columns in, columns out: for engines that hand tables over in batches (Ray Data, Spark, pandas).

In: a batch as its columns by name, and the answers to its rows. Out: the same columns with what was
predicted behind them, as a Parquet file of `bertft predict` has it. A model always adds the same
columns, whatever is in a batch: an engine asks for their types beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from bertft.contracts import Answer, Task
from bertft.errors import DataError
from bertft.prediction.certainty import Certainty
from bertft.prediction.tables import ERROR, as_text, free_names, predicted


class Columns(Protocol):
    """A dictionary of columns, or a DataFrame: names, and the values of each."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, name: str, /) -> Any: ...


def records(columns: Columns) -> Iterator[dict[str, Any]]:
    """The rows of a batch. Raises DataError where its columns are of different lengths."""
    names = list(columns.keys())
    values = [list(columns[name]) for name in names]
    lengths = {len(one) for one in values}
    if len(lengths) > 1:
        each = ", ".join(f"{name} {len(one)}" for name, one in zip(names, values, strict=True))
        raise DataError(f"columns of different lengths: {each}", hint="give each row a value")
    for row in zip(*values, strict=True):
        yield {name: _known(value) for name, value in zip(names, row, strict=True)}


def with_answers(
    columns: Columns, answers: Iterable[Answer], *, names: Sequence[str]
) -> dict[str, Any]:
    """The columns of a batch, untouched, and those of ``names``, one value for each answer."""
    own = {name: columns[name] for name in columns.keys()}  # noqa: SIM118 - a Protocol of its own
    rows = [{**predicted(one), ERROR: one.get("error")} for one in answers]
    free = free_names(names, taken=tuple(own))
    return own | {free[name]: [_cell(row.get(name)) for row in rows] for name in names}


def added_names(task: Task[Any], certainty: Certainty) -> tuple[str, ...]:
    """What answers of a model add to a table: the names, in the order of `predicted`."""
    if task.name == "ner":
        return ("entities", "predicted_tags", ERROR)
    found: tuple[str, ...] = ("predicted_label", "probability")
    if task.name == "qa":
        found = ("predicted_answer", "start", "end", "probability")
    elif not task.labels:
        found = ("predicted_score",)
    elif getattr(getattr(task, "options", None), "multi_label", False):
        found = ("predicted_labels",)
    scope = getattr(task, "scope", None)
    told = scope is not None and scope.threshold is not None
    found += ("label_set",) if certainty.coverage is not None else ()
    found += ("out_of_scope", "out_of_scope_score") if told else ()
    found += ("withheld",) if certainty.withholds else ()
    return (*found, "truncated", ERROR)


def _cell(value: Any) -> Any:
    """What is nested, as JSON: its type would change from batch to batch."""
    return as_text(value) if isinstance(value, dict | list) else value


def _known(value: Any) -> Any:
    """None for what pandas writes where there is nothing: a number that is none."""
    return None if isinstance(value, float) and value != value else value
