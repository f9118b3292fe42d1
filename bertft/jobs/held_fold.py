"""A fold of the training rows as test set: ``data.fold`` in, the rows of train and of test out.

Which fold a row is in follows from the rows and ``training.seed``, so that the runs of all folds
agree on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bertft.contracts import Task
from bertft.errors import DataError
from bertft.evaluation.folds import stratified_folds
from bertft.evaluation.metrics import IdArray
from bertft.loaders.reading import read_examples
from bertft.rows import joined, picked
from bertft.settings import DataSettings, Recipe
from bertft.watch import Watch


def read_training(task: Task[Any], data: DataSettings, *, watch: Watch) -> Sequence[Any]:
    """The examples of all files of training data."""
    column = data.group_column
    return joined(
        [
            read_examples(task, path, data, watch=watch, group_column=column)
            for path in (data.train, *data.further)
        ]
    )


def belonging(examples: Sequence[Any]) -> list[str]:
    """What each example belongs to: its group, or its text, which may stand there twice."""
    return [one.group or one.text for one in examples]


def fold_of_each(
    task: Task[Any], examples: Sequence[Any], *, count: int, seed: int, where: str
) -> IdArray:
    """The fold [N] of each example, from 0. Raises DataError where there are too few."""
    groups = belonging(examples)
    if (there := len(set(groups))) < count:
        what = "rows" if there == len(examples) else "groups of rows that belong together"
        hint = f"--folds {there}" if there > 1 else "give more rows"
        raise DataError(f"{count} folds, but {there} {what}", path=where, hint=hint)
    strata = [frozenset(reading.labels) for reading in task.readings(examples)]
    return stratified_folds(strata, groups, count=count, seed=seed)


def hold_out_fold(
    task: Task[Any], examples: Sequence[Any], recipe: Recipe, *, watch: Watch
) -> tuple[Sequence[Any], Sequence[Any]]:
    """(train, test): the rows of the other folds, and those of ``data.fold``, in file order."""
    fold = recipe.data.fold
    number, count = map(int, fold.split("/"))
    seed, where = recipe.training.seed, recipe.data.train
    folds = fold_of_each(task, examples, count=count, seed=seed, where=where)
    train, test = (
        picked(examples, np.flatnonzero((folds == number - 1) == held).tolist())
        for held in (False, True)
    )
    watch.note(f"fold {fold}: {len(test):,} of {len(examples):,} training rows are the test set")
    return train, test
