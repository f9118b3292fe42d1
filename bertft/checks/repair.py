"""Repaired copies of data files: files in; copies that replace them, and notes, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from bertft.checks.finding import Finding, Place
from bertft.contracts import Task
from bertft.errors import DataError, RecipeError
from bertft.loaders.source import Source
from bertft.loaders.squad_repair import repair_questions
from bertft.loaders.tagged_repair import repair_tagged
from bertft.settings import DataSettings


@dataclass(frozen=True, slots=True)
class Repair:
    """How files of a task are repaired: ``write`` gives how many things it put right, and how many
    rows are not in the copy; ``suffix`` is that of the copy, "" for the file's own."""

    write: Callable[[Task[Any], Source, Path], tuple[int, int]]
    what: str
    suffix: str = ""


REPAIRS = {
    "qa": Repair(
        lambda _, source, out: (repair_questions(source, out), 0),
        "answers that were moved to their place",
    ),
    "ner": Repair(repair_tagged, "entities and tags that were put right", ".jsonl"),
}
"""Task -> what writes a repaired copy of a file, where there is such a thing."""


def repair(
    task: Task[Any], files: Mapping[str, str], data: DataSettings, *, folder: Path
) -> tuple[dict[str, str], list[Finding]]:
    """The files, those that needed it replaced by repaired copies, and notes about each copy."""
    if task.name not in REPAIRS:
        hint = f"--fix knows what to do for: {', '.join(REPAIRS)}"
        raise RecipeError(f"nothing of {task.name} data can be repaired", hint=hint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError(f"--fix {folder}: {error.strerror}", hint="name a folder") from None
    how = REPAIRS[task.name]
    chosen, findings = dict(files), []
    names = {split: _name(path, how.suffix) for split, path in files.items()}
    for split, path in files.items():
        twice = list(names.values()).count(names[split]) > 1
        out = folder / (f"{split}-{names[split]}" if twice else names[split])
        try:
            right, lost = how.write(task, Source(path, data=data), out)
        except DataError as error:
            if error.path == str(out) or how.suffix == "":
                raise
            continue  # it cannot be read at all: the check says why
        if right:
            chosen[split] = str(out)
            place = (Place(str(out), 1, f"copy of {path}"),)
            mend = f"train on {out}"
            findings.append(Finding("note", "repaired", split, how.what, right, 0, mend, place))
        if right and lost:
            what = f"rows that cannot be read, and are not in {out}"
            findings.append(Finding("warning", "not-in-copy", split, what, lost))
    return chosen, findings


def _name(path: str, suffix: str) -> str:
    """The name of the copy of a file."""
    name = PurePath(path.rpartition(":")[2]).name
    return name.removesuffix(".gz").partition(".")[0] + suffix if suffix else name
