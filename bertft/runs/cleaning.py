"""What can go of the runs under runs/, without losing a model: found and told, then removed.

Of a finished run its checkpoints (``last/``), of pre-training the untrained encoder it began with,
and on demand evaluations and unfinished runs. A run that is being trained is left alone, and so is
every folder that holds the only model of a run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertft.errors import RunError
from bertft.runs.folder import finished_runs, unfinished_runs
from bertft.runs.lock import is_locked, locked
from bertft.runs.standing import folder_bytes
from bertft.runs.stored import CARD
from bertft.training.folders import saved_folders

START = "-start"
"""Ending of the folder beside a run of pre-training that holds the encoder it began with."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A folder that can go: why, how large it is, and the run whose lock is needed."""

    folder: Path
    why: str
    bytes: int
    run: Path


def find_leftovers(*, evals: bool = False, unfinished: bool = False) -> list[Leftover]:
    """What can go, in the order of the runs."""
    begun = unfinished_runs()
    needed = {Path(str(run.environment.get("model", {}).get("name", ""))) for run in begun}
    found = [
        one
        for run in finished_runs()
        for one in _of_finished(run.path, evals=evals)
        if one.folder not in needed
    ]
    for run in begun if unfinished else []:
        found += _of_unfinished(run.path)
    return [one for one in found if not is_locked(one.run)]


def remove_leftovers(leftovers: Sequence[Leftover]) -> tuple[list[Path], list[str]]:
    """(what was removed, what was not and why); each under the lock of its run."""
    removed, kept = [], []
    for one in leftovers:
        try:
            with locked(one.run, tell=_refuse):
                if one.folder == one.run and _has_model(one.run):
                    raise RunError(f"{one.run} has a model by now")
                shutil.rmtree(one.folder)
            removed.append(one.folder)
        except (RunError, OSError) as error:
            kept.append(str(error))
    return removed, kept


def _refuse(reason: str) -> None:
    raise RunError(reason)


def _has_model(run: Path) -> bool:
    return (run / "best" / CARD).is_file()


def _of_finished(run: Path, *, evals: bool) -> Iterator[Leftover]:
    if not _has_model(run):
        return
    for folder in saved_folders(run / "last"):
        yield _leftover(folder, "checkpoint of a finished run", run)
    start = run.with_name(run.name + START)
    if (start / "config.json").is_file():
        yield _leftover(start, "untrained encoder that pre-training began with", run)
    for folder in sorted((run / "eval").glob("*/")) if evals else []:
        yield _leftover(folder, "evaluation", run)


def _of_unfinished(run: Path) -> Iterator[Leftover]:
    """The whole run, unless it has a model already, which would be the only one."""
    if _has_model(run):
        return
    yield _leftover(run, "unfinished run", run)
    start = run.with_name(run.name + START)
    if (start / "config.json").is_file():
        yield _leftover(start, "untrained encoder of an unfinished run", start)


def _leftover(folder: Path, why: str, run: Path) -> Leftover:
    return Leftover(folder, why, folder_bytes(folder), run)
