"""What a run was made from: how it is recorded, and where it is found again.

Files and folders are recorded absolute. One that is not there any more is looked for from the run
(and from what was named) upwards, by the end of its path, as it is found where all was moved
together; what is found is taken only if its SHA-256 is the recorded one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bertft.encoder.find import inside_run
from bertft.jobs.request import TrainRequest
from bertft.loaders.files import STDIN, sha256
from bertft.recipe import BUNDLED, HUB
from bertft.settings import Recipe

SPLITS = ("train", "dev", "test")
FILES = (*SPLITS, "corrections")
"""Settings of ``data`` that name one file each."""


def recorded_file(path: str) -> str:
    """A file of data as a run records it."""
    return _absolute(path) if _is_local(path) else path


def recorded_encoder(name: str) -> str:
    """An encoder as a run records it: a folder by its absolute path."""
    folder = Path(name).expanduser()
    return _absolute(folder) if folder.is_dir() else name


def _absolute(path: str | Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links keep their names, which tell the format


def recorded_recipe(recipe: Recipe) -> Recipe:
    """A recipe as a run records it, so that it means the same from any folder."""
    data = {name: recorded_file(getattr(recipe.data, name)) for name in FILES}
    further = [recorded_file(path) for path in recipe.data.further]
    model = {"name": recorded_encoder(recipe.model.name)}
    return _with(recipe, data={**data, "further": further}, model=model)


def without_places(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe, but for where its inputs are: those are told by their SHA-256."""
    data = {name: bool(getattr(recipe.data, name)) for name in FILES}
    settings = recipe.resolved()
    settings["data"] |= {**data, "further": len(recipe.data.further)}
    settings["model"] |= {"name": ""}
    return settings


def given_inputs(request: TrainRequest) -> dict[str, str]:
    """The inputs that a request to go on with a run names, by their split, or as ``model``."""
    given = {name: getattr(request, name) for name in (*SPLITS, "model")}
    return {name: path for name, path in given.items() if path}


def found_recipe(
    recipe: Recipe,
    environment: Mapping[str, Any],
    run: Path,
    *,
    given: Mapping[str, str],
    tell: Callable[[str], None] = lambda _: None,
) -> Recipe:
    """The recipe of a run with its inputs where they are now.

    ``given`` are files by their split, and the encoder as ``model``, that take the place of what is
    recorded; ``tell`` is given a line for each that was found elsewhere.
    """
    known = environment.get("data", {})
    beside = [Path(path).resolve().parent for path in given.values()]

    def place(name: str, path: str) -> str:
        if given.get(name):
            return given[name]
        digest = known.get(name, {}).get("sha256", "")
        return found_file(path, digest, run, beside=beside, tell=tell)

    data = {name: place(name, getattr(recipe.data, name)) for name in FILES}
    further = [
        place(f"train {number}", path) for number, path in enumerate(recipe.data.further, start=2)
    ]
    model = given.get("model") or found_encoder(
        recipe.model.name, environment.get("model", {}), run, beside=beside, tell=tell
    )
    return recorded_recipe(_with(recipe, data={**data, "further": further}, model={"name": model}))


def found_file(
    path: str,
    digest: str,
    run: Path,
    *,
    beside: Sequence[Path] = (),
    tell: Callable[[str], None],
) -> str:
    """Where a file of a run is now; ``path`` itself where it is not found."""
    if not path or not _is_local(path):
        return path
    there = Path(path).is_file()
    if (there and Path(path).is_absolute()) or not digest:
        return path
    if there and sha256(path) == digest:
        return path
    for candidate in _candidates(path, run, beside):
        if candidate.is_file() and sha256(str(candidate)) == digest:
            tell(f"{path}: found as {candidate}, with the same SHA-256")
            return str(candidate)
    return path


def found_encoder(
    name: str,
    was: Mapping[str, Any],
    run: Path,
    *,
    beside: Sequence[Path] = (),
    tell: Callable[[str], None],
) -> str:
    """Where the encoder's folder is now; ``name`` itself where it is not found, or no folder."""
    files: Mapping[str, str] = was.get("files", {})
    folder = Path(name).expanduser()
    if was.get("revision") or not files or (folder.is_dir() and folder.is_absolute()):
        return name
    if _holds(folder, files):
        return name
    for candidate in _candidates(name, run, beside):
        if _holds(candidate, files):
            tell(f"{name}: found as {candidate}, with the same SHA-256")
            return str(candidate)
    return name


def _holds(folder: Path, files: Mapping[str, str]) -> bool:
    inner = inside_run(folder)
    return all(
        (inner / name).is_file() and sha256(str(inner / name)) == digest
        for name, digest in files.items()
    )


def _candidates(path: str, run: Path, beside: Sequence[Path]) -> Iterator[Path]:
    """Ends of a path below each folder above the run: the longest and the nearest first."""
    parts = [part for part in Path(path).parts if part not in ("/", "..", ".")]
    home = run.resolve()
    for start in range(len(parts)):
        for root in (*beside, home, *home.parents):
            yield root.joinpath(*parts[start:])


def _is_local(path: str) -> bool:
    return bool(path) and path != STDIN and not path.startswith((BUNDLED, HUB))


def _with(recipe: Recipe, *, data: dict[str, Any], model: dict[str, Any]) -> Recipe:
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update=data),
            "model": recipe.model.model_copy(update=model),
        }
    )
