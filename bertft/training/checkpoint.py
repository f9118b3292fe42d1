"""Checkpoints: folders that appear whole or not at all, written without a single pickle.

``replace_folder`` writes into a temporary sibling, flushes it to the disk with a manifest of
SHA-256 and only then renames it: ``last/`` becomes ``last-1/``, the new one ``last/``. A kill
between any two calls leaves a whole folder under one of these names (``settle_folders``).
``last/`` holds what training needs to go on (weights, optimizer moments, progress, and what the run
depends on; dropout is drawn anew from seed and step), ``best/`` a plain Hugging Face model.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from bertft.errors import RunError
from bertft.training import sharding
from bertft.training.progress import Progress

MANIFEST = "manifest.json"
STATE = "progress.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder whose every file was found unchanged; ``depends`` is what save_state was given."""

    folder: Path
    progress: Progress
    depends: dict[str, Any]
    scaler: dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What the next step starts from: weights, moments of the optimizer, gradient scaler of fp16.

    Tensors are whole, also where each process holds but a part of them.
    """

    weights: dict[str, torch.Tensor]
    moments: dict[str, torch.Tensor]
    scaler: dict[str, Any]


def replace_folder(target: Path, write: Callable[[Path], None], *, keep: int = 1) -> None:
    """Fill a new folder with ``write`` and put it in the place of ``target``.

    The newest ``keep`` folders stay: ``target``, then ``target-1`` and so on. Where writing fails,
    nothing has changed and nothing half-written is left.

    Raises:
        OSError: it cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()  # never its parents: a run directory that was removed stays removed
        write(partial)
        _seal(partial)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        # safetensors 0.8 and tokenizers 0.23 have errors of their own, with the system's number
        # in the text.
        found = None if isinstance(error, OSError) else re.search(r"\(os error (\d+)\)", str(error))
        if found:
            number = int(found[1])
            raise OSError(number, os.strerror(number), str(partial)) from error
        raise
    older = list(enumerate(saved_folders(target), start=1))
    for number, folder in reversed(older):
        folder.rename(_numbered(target, number))
    partial.rename(target)
    flush(target.parent)
    for folder in saved_folders(target)[keep:]:
        discard_folder(folder)


def saved_folders(target: Path) -> list[Path]:
    """``target`` and its older ones, those that exist, newest first."""
    older = [path for path in target.parent.glob(f"{target.name}-*") if _number(path) > 0]
    return [path for path in (target, *sorted(older, key=_number)) if path.is_dir()]


def settle_folders(target: Path) -> None:
    """Tidy up after a kill: the newest folder becomes ``target``, and what is half-done goes."""
    for pattern in (f".{target.name}.partial", f".{target.name}*.discarded"):
        for left in target.parent.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)
    for number, folder in enumerate(saved_folders(target)):
        if folder != _numbered(target, number):
            folder.rename(_numbered(target, number))


def discard_folder(folder: Path) -> None:
    """Remove a folder; a kill meanwhile leaves nothing that could be taken for a checkpoint."""
    discarded = folder.with_name(f".{folder.name}.discarded")
    shutil.rmtree(discarded, ignore_errors=True)
    folder.rename(discarded)
    shutil.rmtree(discarded, ignore_errors=True)


def _numbered(target: Path, number: int) -> Path:
    return target.with_name(f"{target.name}-{number}") if number else target


def _number(path: Path) -> int:
    suffix = path.name.rpartition("-")[2]
    return int(suffix) if suffix.isdecimal() else 0


def verify_folder(folder: Path) -> None:
    """Raise RunError unless every file of the manifest is there, unchanged."""
    try:
        digests = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        broken = [name for name, sha in digests.items() if _digest(folder / name) != sha]
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(f"{folder}: not a complete checkpoint ({error})") from error
    if broken:
        raise RunError(f"{folder}: damaged checkpoint, {', '.join(broken)} changed after saving")


def _seal(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): _digest(path) for path in files}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(digests, indent=1), encoding="utf-8")
    # safetensors 0.8 writes files that only their owner may read.
    for path in [*files, manifest]:
        path.chmod(0o666 & ~_umask())
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    for path in [*files, manifest, *folders, folder]:
        flush(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """fsync a file or folder, so that a rename never outlives the data it points to."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def take_state(model: torch.nn.Module, optimizer: Any, *, scaler: Any = None) -> State:
    """The state as it is; ``scaler`` is the gradient scaler of fp16, None without one.

    All processes call this at the same time. Of a sharded model the main one gets it.
    """
    moments = {
        f"{index}.{key}": value
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    kept = scaler.state_dict() if scaler is not None else {}
    return State(take_weights(model), sharding.gathered(moments), kept)


def take_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """All tensors of a model, whole; of tied ones, which safetensors stores once, the first.

    All processes call this at the same time. Of a sharded model the main one gets them.
    """
    return sharding.gathered(_stored_once(model))


def _stored_once(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    tied: set[int] = set()
    found = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in tied:
            found[name] = tensor.detach()
        tied.add(id(tensor))
    return found


def save_state(
    folder: Path, state: State, *, progress: Progress, depends: Mapping[str, Any]
) -> None:
    """Write all that the next step depends on: tensors as safetensors, the rest as JSON.

    ``depends`` is what has to be the same when training goes on.
    """
    weights = {name: tensor.contiguous() for name, tensor in state.weights.items()}
    save_file(weights, folder / "model.safetensors")
    save_file(state.moments, folder / "optimizer.safetensors")
    rest = {"progress": progress.state_dict(), "scaler": state.scaler, "depends": depends}
    text = json.dumps(rest, ensure_ascii=False, indent=1)
    (folder / STATE).write_text(text, encoding="utf-8")


def open_checkpoint(folder: Path) -> Checkpoint:
    """Verify a folder and read where its training stood. Raises RunError when it is damaged."""
    verify_folder(folder)
    try:
        saved = json.loads((folder / STATE).read_text(encoding="utf-8"))
        progress = Progress.from_state_dict(saved["progress"])
        return Checkpoint(folder, progress, dict(saved["depends"]), dict(saved["scaler"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunError(f"{folder}: not a checkpoint of this version ({reason})") from error


def load_state(
    checkpoint: Checkpoint, model: torch.nn.Module, optimizer: Any, *, scaler: Any = None
) -> None:
    """Put a saved state back into model, optimizer and gradient scaler.

    All processes call this at the same time.

    Raises:
        RunError: the state is that of another model.
    """
    folder = checkpoint.folder
    weights, current = load_file(folder / "model.safetensors"), _stored_once(model)
    if set(weights) != set(current):
        raise RunError(f"{folder}: the weights are those of another model", hint="train anew")
    parts = {name: sharding.shared_out(weights[name], like) for name, like in current.items()}
    model.load_state_dict(parts, strict=False)
    owners = [one for group in optimizer.param_groups for one in group["params"]]
    moments = load_file(folder / "optimizer.safetensors")
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name in sorted(moments):
        index, key = name.split(".", 1)
        owner, value = owners[int(index)], moments[name]
        if value.shape == owner.shape:  # else it is the number of steps
            value = sharding.shared_out(value, owner)
        state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    if scaler is not None and checkpoint.scaler:
        scaler.load_state_dict(checkpoint.scaler)
