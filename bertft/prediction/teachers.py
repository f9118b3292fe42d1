"""Teachers: trained runs and texts in, what a student learns of each text out.

Of several teachers it is the mean of what they say, so that an ensemble becomes one model (Hinton
et al. 2015, section 3). Rows go to a file as they come: memory holds one window of texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bertft.contracts import Answer, Task, Teaches
from bertft.errors import BertftError, DataError
from bertft.loaders.reading import bad_row_rule, input_settings
from bertft.prediction.asked import Asked, names_of, predictions
from bertft.prediction.certainty import Rule
from bertft.prediction.predictor import Predictor, in_windows, load
from bertft.runs.folder import Run, model_folder
from bertft.runs.stored import read_card
from bertft.tasks import bound_task
from bertft.watch import Watch
from bertft.words import rows_left_out

ROW = "row"


class Teachers:
    """Runs of one task that answer texts with a row to learn from, all of them together."""

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors = tuple(predictors)

    @property
    def task(self) -> Task[Any]:
        """What reads the texts, and writes the rows: the first one's."""
        return self.predictors[0].task

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        return in_windows(examples, self.answer)

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        told = [self._told(one, examples) for one in self.predictors]
        task = teaching(self.task)
        rows = zip(examples, zip(*told, strict=True), strict=True)
        return [{ROW: task.soft_row(example, one)} for example, one in rows]

    @staticmethod
    def _told(predictor: Predictor, examples: Sequence[Any]) -> list[Any]:
        """What one teacher says of each example."""
        task = teaching(predictor.task)
        pairs = zip(examples, predictor.pieces(examples), strict=True)
        return [task.soft(example, pieces) for example, pieces in pairs]


def teaching(task: Task[Any]) -> Teaches:
    """The task as one that teaches. Raises BertftError where it has no answers to be learned."""
    if not isinstance(task, Teaches):
        what = f"distil teaches answers; the task {task.name} gives none"
        raise BertftError(what, hint="give a run of another task")
    return task


def check_together(runs: Sequence[Run]) -> None:
    """Raise BertftError for teachers that do not answer the same, before any is loaded."""
    tasks = [bound_task(read_card(model_folder(run))) for run in runs]
    for run, task in zip(runs, tasks, strict=True):
        teaching(task)
        for what, own, other in (
            ("the task", _kind(tasks[0]), _kind(task)),
            ("the labels", sorted(tasks[0].labels), sorted(task.labels)),
        ):
            if own != other:
                told = f"{run.path} has not {what} of {runs[0].path}, with which it is to teach"
                raise BertftError(told, hint="teachers of one student answer the same")
    if twice := [run.path for run in runs if [one.path for one in runs].count(run.path) > 1]:
        raise BertftError(f"{twice[0]} is to teach twice", hint="give each run once")


def _kind(task: Task[Any]) -> tuple[Any, ...]:
    several = getattr(getattr(task, "options", None), "multi_label", False)
    return task.name, type(task), names_of(task), several


def open_teachers(runs: Sequence[Run], *, device: str, precision: str) -> Teachers:
    """Load the runs, which ``check_together`` found to fit."""
    return Teachers([load(one, device=device, precision=precision) for one in runs])


def teach(
    teachers: Teachers, files: Sequence[str], path: Path, *, watch: Watch, encoding: str = "auto"
) -> int:
    """Write what is learned of all texts of ``files``, a row of JSON each; how many there are.

    ``encoding`` is the one that the student's recipe names for its files.

    Raises:
        DataError: a file is at fault, or there is no text in any.
    """
    data = input_settings(()).data
    asked = Asked(arguments=tuple(files), data=data, bad_row=bad_row_rule(data))
    count, lost, first = 0, 0, ""
    with path.open("w", encoding="ascii" if encoding == "auto" else encoding) as file:
        for one in predictions(teachers, asked, watch=watch):
            if ROW not in one.answer:
                lost += 1
                first = first or f"{one.answer['id']}: {one.answer['error']}"
                continue
            file.write(json.dumps(one.answer[ROW]) + "\n")
            count += 1
    if lost:
        watch.note(rows_left_out(lost, first=first))
    if not count:
        raise DataError("no text to learn from", path=", ".join(files))
    return count
