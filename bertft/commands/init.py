"""init: a data file in; what it is, and a recipe for it with the reasons as comments, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertft.errors import RecipeError
from bertft.jobs.look import look_at
from bertft.jobs.proposal import Proposal, place_of, propose
from bertft.loaders.reading import input_settings
from bertft.runs.writing import new_file


@dataclass(frozen=True, slots=True, kw_only=True)
class InitRequest:
    """What ``bertft init`` is asked for."""

    file: str
    out: str = ""
    model: str = ""
    overrides: tuple[str, ...] = ()
    force: bool = False
    offline: bool = False


def init(request: InitRequest) -> tuple[Path, Proposal]:
    """Look at a file and write a recipe for it, beside it unless ``out`` says where.

    Raises:
        DataError: the file cannot be read, or holds nothing to be learned.
        RecipeError: the recipe exists, or cannot be written.
    """
    target = target_of(request)
    settings = input_settings(request.overrides)
    asked = {key: value for key, value in settings.task.items() if key != "name"}
    look = look_at(request.file, settings.data, options=asked)
    proposal = propose(look, settings.data, model=request.model, offline=request.offline)
    try:
        with new_file(target) as file:
            file.write(proposal.to_toml(str(target)))
    except OSError as error:
        raise RecipeError(f"{target} cannot be written ({error.strerror})") from None
    return target, proposal


def target_of(request: InitRequest) -> Path:
    """Where the recipe goes. Raises RecipeError where a file is there that is not to be lost."""
    target = Path(request.out) if request.out else place_of(request.file)
    if target.suffix != ".toml":
        raise RecipeError(f"{target} is no name of a recipe", hint="it ends in .toml")
    if target.is_dir() or (target.exists() and not request.force):
        hint = "choose another --out, or add --force to replace it"
        raise RecipeError(f"{target} exists already", hint=hint)
    return target
