"""Checkpoints: folders that appear whole or not at all, written without a single pickle.

``replace_folder`` writes into a temporary sibling, flushes it to the disk with a manifest of
SHA-256 and renames it; the previous folder stays until then. ``last/`` holds what training needs
to go on (weights, optimizer moments, progress; dropout is drawn anew from seed and step), ``best/``
a plain Hugging Face model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from bertft.contracts import Progress
from bertft.errors import RunError

MANIFEST = "manifest.json"


def replace_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Fill a new folder with ``write`` and put it in the place of ``target``."""
    partial = target.with_name(f".{target.name}.partial")
    previous = target.with_name(f".{target.name}.previous")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    _seal(partial)
    if target.exists():
        shutil.rmtree(previous, ignore_errors=True)
        target.rename(previous)
    partial.rename(target)
    _flush(target.parent)
    shutil.rmtree(previous, ignore_errors=True)


def recover_folder(target: Path) -> None:
    """Put the previous folder back where a kill came between the two renames of a save."""
    previous = target.with_name(f".{target.name}.previous")
    if previous.is_dir() and not target.exists():
        previous.rename(target)


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
    for path in [*files, manifest, folder]:
        _flush(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """fsync a file or folder, so that a rename never outlives the data it points to."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_state(
    folder: Path, model: torch.nn.Module, optimizer: Any, *, progress: Progress, recipe_hash: str
) -> None:
    """Write all that the next step depends on: tensors as safetensors, the rest as JSON."""
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # Tied weights share memory, which safetensors refuses: store each of them once.
    unique = {tensor.data_ptr(): name for name, tensor in reversed(weights.items())}
    kept = {name: weights[name] for name in weights if unique[weights[name].data_ptr()] == name}
    save_file(kept, folder / "model.safetensors")
    moments = {
        f"{index}.{key}": value
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    save_file(moments, folder / "optimizer.safetensors")
    state = {"recipe_hash": recipe_hash, "progress": progress.state_dict()}
    (folder / "progress.json").write_text(json.dumps(state, indent=1), encoding="utf-8")


def load_state(
    folder: Path, model: torch.nn.Module, optimizer: Any, *, recipe_hash: str
) -> Progress:
    """Put a saved state back into model and optimizer.

    Returns:
        The progress to go on from.

    Raises:
        RunError: the folder is damaged, or was saved by another recipe.
    """
    verify_folder(folder)
    saved = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    if saved["recipe_hash"] != recipe_hash:
        raise RunError(f"{folder} was saved by another recipe", hint="train anew")
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in load_file(folder / "optimizer.safetensors").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return Progress.from_state_dict(saved["progress"])
