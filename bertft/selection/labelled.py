"""Texts that have labels already, which are not to be labelled again: files in, their texts out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bertft.contracts import Answer, Task
from bertft.loaders.reading import SkippedRows
from bertft.loaders.source import Source
from bertft.prediction.shown import TEXTS
from bertft.runs.folder import Run
from bertft.runs.inputs import found_file
from bertft.settings import DataSettings
from bertft.watch import Watch

Texts = tuple[str, ...]
"""All that a model reads of one row."""


def texts_of(answer: Answer) -> Texts:
    """The texts that an answer is about."""
    return tuple(answer[name] for name in TEXTS if name in answer)


def labelled_files(run: Run, *, watch: Watch) -> list[str]:
    """The files that a run was trained, chosen and scored on, as far as they are still there."""
    found = []
    for split, file in run.environment.get("data", {}).items():
        path = found_file(file["path"], file["sha256"], run.path, tell=watch.note)
        if Path(path).is_file() or not Path(path).is_absolute():
            found.append(path)
        else:
            watch.note(f"{path} ({split}) is not there: its texts may be suggested again")
    return found


def labelled_texts(
    paths: Sequence[str], task: Task[Any], data: DataSettings, *, watch: Watch
) -> Iterator[Texts]:
    """The texts of files, rows that cannot be read left out.

    Raises:
        BertftError: a file is not there, or holds no such texts.
    """
    for path in paths:
        lost = SkippedRows()
        for example in task.read(Source(path, data=data, gold=False, bad_row=lost)):
            yield getattr(example, "texts", (example.text,))
        lost.tell(watch)
