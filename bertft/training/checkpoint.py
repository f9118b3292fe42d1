"""Checkpoints: what is in the folders that appear whole or not at all (folders.py); no pickle.

``last/`` holds what training needs to go on (weights, optimizer moments, progress, and what the run
depends on; dropout is drawn anew from seed and step), ``best/`` a plain Hugging Face model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from bertft.errors import RunError
from bertft.training import sharding
from bertft.training.folders import STATE, verify_folder
from bertft.training.progress import Progress


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

    Weights that are frozen are not among them: they are those that the model is built with.
    Tensors are whole, also where each process holds but a part of them.
    """

    weights: dict[str, torch.Tensor]
    moments: dict[str, torch.Tensor]
    scaler: dict[str, Any]


def take_state(
    model: torch.nn.Module, optimizer: Any, *, scaler: Any = None, whole: bool = False
) -> State:
    """The state as it is; ``scaler`` is the gradient scaler of fp16, None without one.

    ``whole``: frozen weights, too, for something else than the optimizer changes them.
    All processes call this at the same time. Of a sharded model the main one gets it.
    """
    moments = {
        f"{index}.{key}": value
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }
    kept = scaler.state_dict() if scaler is not None else {}
    return State(take_weights(model, frozen=whole), sharding.gathered(moments), kept)


def take_weights(model: torch.nn.Module, *, frozen: bool = True) -> dict[str, torch.Tensor]:
    """All tensors of a model, whole; of tied ones, which safetensors stores once, the first.

    Without ``frozen``: those only that a step may change.
    All processes call this at the same time. Of a sharded model the main one gets them.
    """
    found = {
        name: tensor.detach()
        for name, tensor in _stored_once(model).items()
        if frozen or _learns(tensor)
    }
    return sharding.gathered(found)


def _learns(tensor: torch.Tensor) -> bool:
    """Whether a step may change it; buffers count."""
    return tensor.requires_grad or not isinstance(tensor, torch.nn.Parameter)


def _stored_once(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    tied: set[int] = set()
    found = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in tied:
            found[name] = tensor
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
    needed = {name for name, tensor in current.items() if _learns(tensor)}
    if not needed <= set(weights) <= set(current):
        raise RunError(f"{folder}: the weights are those of another model", hint="train anew")
    parts = {
        name: sharding.shared_out(weights[name], like)
        for name, like in current.items()
        if name in weights
    }
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
