"""What a run depends on, written when it starts; and the way back into a run that has stopped.

    run directory -> its newest whole checkpoint -> nothing has changed? -> Progress

Data, labels, encoder and recipe must be those of the start: a difference is refused by name.
Versions of libraries, device, precision and threads are only told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertft.errors import RunError
from bertft.jobs.prepare import Job
from bertft.recipe import changes, validate
from bertft.runs.environment import environment
from bertft.runs.inputs import without_places
from bertft.runs.stored import NEEDED, check_environment, read_environment
from bertft.settings import Recipe
from bertft.training import loop, processes
from bertft.training.checkpoint import Checkpoint, load_state, open_checkpoint
from bertft.training.folders import (
    STATE,
    discard_folder,
    saved_folders,
    settle_folders,
    verify_folder,
)
from bertft.watch import Watch


def find_checkpoint(run: Path, recipe: Recipe, *, watch: Watch) -> Checkpoint:
    """The newest checkpoint that training can go on from; newer ones that are damaged are told.

    Raises:
        RunError: there is none, or it was saved under another recipe than the run's is now.
    """
    read_environment(run / "environment.json")  # which the report will need
    for name in ("last", "best"):
        settle_folders(run / name)
    damage: list[str] = []
    for folder in saved_folders(run / "last"):
        try:
            checkpoint = open_checkpoint(folder)
            found = checkpoint.depends.get("environment")
            check_environment(found, where=folder / STATE, needed=NEEDED)
            lost = best_is_lost(run, checkpoint)
            if lost and not _holds_best(checkpoint, recipe):
                raise RunError(lost)
        except RunError as error:
            damage.append(error.message)
            continue
        _refuse_other_recipe(checkpoint, recipe, run)
        for what in damage:
            watch.note(f"{what}: {folder} is used instead")
        return checkpoint
    if damage:
        raise RunError("; ".join(dict.fromkeys(damage)), hint=f"train anew: {_anew(run)}")
    raise RunError(f"{run} has no checkpoint (no last/)", hint="train anew")


def best_is_lost(run: Path, checkpoint: Checkpoint) -> str:
    """What is wrong with the best/ that a checkpoint counts on; "" where it is whole."""
    try:
        if checkpoint.depends["best"]:
            verify_folder(run / "best")
    except RunError as error:
        return error.message
    return ""


def _holds_best(checkpoint: Checkpoint, recipe: Recipe) -> bool:
    """Whether best/ can be made again of a checkpoint: its own weights are those."""
    progress = checkpoint.progress
    return recipe.training.keep == "last" or progress.best_step == progress.step


def _refuse_other_recipe(checkpoint: Checkpoint, recipe: Recipe, run: Path) -> None:
    # Settings that the saved recipe does not have yet are at their defaults.
    saved = validate(Recipe, checkpoint.depends["recipe"], where=str(checkpoint.folder))
    if found := changes(without_places(saved), without_places(recipe)):
        hint = f"put it back in {run / 'recipe.toml'}, or train anew: {_anew(run)}"
        raise RunError(f"{run} cannot go on: {', '.join(found)}", hint=hint)


def go_on(job: Job, trainer: loop.Trainer, run: Path, *, checkpoint: Checkpoint) -> list[str]:
    """Put the state of a checkpoint back; what is different now, but allowed, is returned.

    Raises:
        RunError: data, labels or encoder are others than at the start.
    """
    was, now = checkpoint.depends["environment"], environment(job)
    if found := other_inputs(was, now):
        hint = f"put them back, or train anew: {_anew(run)}"
        raise RunError(f"{run} cannot go on: {', '.join(found)}", hint=hint)
    job.environment = {**was, "data": now["data"], "model": now["model"]}  # equal but for places
    model = trainer.accelerator.unwrap_model(trainer.model)
    load_state(checkpoint, model, trainer.optimizer, scaler=trainer.accelerator.scaler)
    processes.wait()  # all of them have read it
    if processes.is_main():
        _discard_newer(checkpoint, run)
    return changes(told(was), told(now))


def _discard_newer(checkpoint: Checkpoint, run: Path) -> None:
    """Damaged checkpoints that are newer would be in the way of the next ones."""
    for folder in saved_folders(run / "last"):
        if folder == checkpoint.folder:
            break
        discard_folder(folder)
    settle_folders(run / "last")


def told(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What may differ: results then agree to rounding only."""
    told = {key: environment[key] for key in ("versions", "device", "threads")}
    return told | {"precision": environment["precision"]["used"]}


def other_inputs(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Differences of what the weights come from, each named."""
    before, after = _files(was), _files(now)
    found = [
        _other_file(before.get(name), after.get(name))
        for name in {**before, **after}
        if before.get(name, ("", None))[1] != after.get(name, ("", None))[1]
    ]
    revisions = [{"revision": one["model"]["revision"]} for one in (was, now)]
    labels = [{"labels": one["labels"]} for one in (was, now)]
    # Each process draws its own dropout, so that another number of them is another training; and
    # the gradients of a sharded model are added up in another order.
    launch = [
        {"processes": one["processes"], "sharded": one.get("sharded", False)} for one in (was, now)
    ]
    return found + changes(*revisions, key="model") + changes(*labels) + changes(*launch)


def _files(environment: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Path and SHA-256 of each input by what it is to the run."""
    model = environment["model"]
    files = {f"encoder {name}": (name, sha) for name, sha in model["files"].items()}
    encoder = {key: (f"{model['name']}/{name}", sha) for key, (name, sha) in files.items()}
    data = environment["data"].items()
    return {name: (one["path"], one["sha256"]) for name, one in data} | encoder


def _other_file(was: tuple[str, str] | None, now: tuple[str, str] | None) -> str:
    """What has become of an input, in a few words."""
    if was is None or now is None:
        path, _ = was or now or ("", "")
        return f"{path} {'is gone' if was else 'was not there when it was started'}"
    digests = f"SHA-256 {was[1][:12]}, now {now[1][:12]}"
    if Path(was[0]).name == Path(now[0]).name:
        return f"{now[0]} was changed ({digests})"
    return f"{now[0]} is another file than {was[0]} ({digests})"


def _anew(run: Path) -> str:
    return f"bertft train {run / 'recipe.toml'}"
