"""The run directory: where runs are, what is in them, and which one is meant."""

from __future__ import annotations

import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.errors import RunError, did_you_mean
from bertft.recipe import bundled_recipes
from bertft.runs.stored import CARD, read_environment, read_scores
from bertft.training.folders import flush

RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory."""

    path: Path

    @property
    def scores(self) -> dict[str, Any]:
        """What its scores.json says; empty while unfinished. RunError where it is damaged."""
        return read_scores(self.path / "scores.json")

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def environment(self) -> dict[str, Any]:
        """What its environment.json says; empty without one. RunError where it is damaged."""
        return read_environment(self.path / "environment.json")

    @property
    def recipe_name(self) -> str:
        return str(self.environment.get("recipe", ""))

    @property
    def mode(self) -> str:
        """How it was trained; runs of before there was a choice were fine-tuned."""
        return str(self.environment.get("mode", "fine-tune"))

    @property
    def task(self) -> str:
        """The task of its recipe; "" where that is damaged, or was not copied with the model."""
        try:
            recipe = tomllib.loads((self.path / "recipe.toml").read_text(encoding="utf-8"))
            return str(recipe["task"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    @property
    def kind(self) -> str:
        """What training it was: its mode, or pre-training."""
        return "pre-train" if self.task == "pretraining" else self.mode


def free_run_folder(out: str, *, recipe: str) -> Path:
    """The run directory to create. Raises RunError when ``out`` exists: no run is overwritten."""
    stem = Path(recipe).stem
    path = Path(out) if out else RUNS / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while not out and path.exists():
        number += 1
        path = path.with_name(f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}-{number}")
    if path.exists():
        hint = f"choose another --out, or go on with: bertft train --resume {path}"
        raise RunError(f"{path} exists already", hint=hint)
    return path


def new_run_folder(out: str, *, recipe: str, write: Callable[[Path], None]) -> Path:
    """Create the run directory with what ``write`` puts into it, whole or not at all.

    Raises:
        RunError: it cannot be created here.
    """
    path = free_run_folder(out, recipe=recipe)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        write(partial)
        flush(partial)
        partial.rename(path)
        flush(path.parent)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        hint = "fix that, or choose another --out"
        raise RunError(f"{path} cannot be created ({error.strerror})", hint=hint) from None
    return path


def drop_begun(folder: Path) -> None:
    """Take away what a kill has left of a folder that was being made."""
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path)


def run_folder(name: str | Path) -> Path:
    """The folder that is meant by a path, or by the name of a run under ``runs/``."""
    path = Path(name)
    return RUNS / path if not path.is_dir() and (RUNS / path).is_dir() else path


def open_run(path: str | Path) -> Run:
    """A run by its directory, its name, or its ``best`` folder.

    Raises:
        RunError: there is none, or it has no model.
    """
    folder = run_folder(path)
    if (folder / CARD).is_file():
        folder = folder.parent if folder.name == "best" else folder
    if not folder.is_dir():
        names = [str(run.path.relative_to(RUNS)) for run in finished_runs()]
        near = did_you_mean(folder.name, names)
        hint = near if near.startswith("did") else "'bertft runs list' shows the runs here"
        raise RunError(f"no run directory {folder}", hint=hint)
    if not (folder / "best" / CARD).is_file() and not (folder / CARD).is_file():
        is_begun = (folder / "last").is_dir()
        hint = f"go on with: bertft train --resume {folder}" if is_begun else "is it a run?"
        raise RunError(f"{folder} holds no trained model (no best/{CARD})", hint=hint)
    return Run(folder)


def model_folder(run: Run) -> Path:
    """The plain Hugging Face folder of a run (or the folder itself, where only that was copied)."""
    return run.best if run.best.is_dir() else run.path


def finished_runs() -> list[Run]:
    """Finished runs under ``runs/``, oldest first."""
    return _finished(RUNS.glob("**/scores.json"))


def unfinished_runs() -> list[Run]:
    """Runs under ``runs/`` that training can go on with, by name."""
    begun = (path.parent for path in RUNS.glob("**/recipe.toml"))
    return [
        Run(path)
        for path in sorted(begun)
        if path != RUNS and path.name[0] != "." and not (path / "scores.json").exists()
    ]


def sibling_runs(run: Path) -> list[Run]:
    """Finished runs in the folder that a run is in, oldest first."""
    return _finished(run.resolve().parent.glob("*/scores.json"))


def _finished(scores: Iterable[Path]) -> list[Run]:
    found = [path.parent for path in scores if (path.parent / "best").is_dir()]
    return sorted(map(Run, found), key=lambda run: (run.path / "scores.json").stat().st_mtime_ns)


def newest_run(recipe: str | None) -> Run:
    """The newest finished run (of one recipe). Raises RunError, naming what makes one."""
    runs = [run for run in finished_runs() if recipe is None or run.recipe_name == recipe]
    if runs:
        return runs[-1]
    of = f" of '{recipe}'" if recipe else ""
    raise RunError(
        f"no finished run{of} under runs/", hint=f"make one: bertft train {recipe or 'sentiment'}"
    )


def find_run(name: str) -> Run:
    """A run directory by path or name, or the newest finished run of a bundled recipe."""
    if name in bundled_recipes() and not Path(name).is_dir():
        return newest_run(name)
    if name.endswith(".toml"):
        return newest_run(Path(name).stem)
    return open_run(name)
