"""Repaired copies of data files: files in; copies that replace them, and notes, out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from bertft.checks.finding import Finding, Place
from bertft.contracts import Task
from bertft.errors import RecipeError
from bertft.loaders.source import Source
from bertft.loaders.squad_repair import repair_questions
from bertft.settings import DataSettings

REPAIRS = {"qa": repair_questions}
"""Task -> what writes a repaired copy of a file, where there is such a thing."""


def repair(
    task: Task[Any], files: Mapping[str, str], data: DataSettings, *, folder: Path
) -> tuple[dict[str, str], list[Finding]]:
    """The files, those that needed it replaced by repaired copies, and a note for each copy."""
    if task.name not in REPAIRS:
        hint = f"--fix knows what to do for: {', '.join(REPAIRS)}"
        raise RecipeError(f"nothing of {task.name} data can be repaired", hint=hint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError(f"--fix {folder}: {error.strerror}", hint="name a folder") from None
    chosen, findings = dict(files), []
    names = [PurePath(path).name for path in files.values()]
    for split, path in files.items():
        name = PurePath(path.rpartition(":")[2]).name
        out = folder / (name if names.count(name) < 2 else f"{split}-{name}")
        if moved := REPAIRS[task.name](Source(path, data=data), out):
            chosen[split] = str(out)
            place = (Place(str(out), 1, f"copy of {path}"),)
            what = "answers that were moved to their place"
            fix = f"train on {out}"
            findings.append(Finding("note", "repaired", split, what, moved, 0, fix, place))
    return chosen, findings
