"""What an export holds: a Predictor of a run in, the files that answer without torch out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bertft.encoder.bare import write_backend
from bertft.engines.conversion import CALIBRATION, NEEDED, convert
from bertft.engines.padded import Inputs
from bertft.loaders.files import sha256
from bertft.prediction.foreign import knows_jamo
from bertft.prediction.predictor import Predictor
from bertft.runs.exported import EXPORT, FORMAT
from bertft.runs.stored import CALIBRATION as DEV_KEPT
from bertft.runs.stored import CARD
from bertft.runs.writing import write_json

ALWAYS = ("input_ids", "attention_mask")
"""Inputs of every model; token types are those of some."""


def write_export(
    reference: Predictor,
    examples: Sequence[Any],
    folder: Path,
    *,
    engine: str,
    int8: bool,
    name: str,
) -> dict[str, Any]:
    """Fill ``folder`` with all that answers; what its export.json says.

    ``examples``, one at the least, are what the model is traced with, and int8 ranges are from;
    ``name`` is that of the run.

    Raises:
        ModelError: the model cannot be converted.
    """
    tokenizer, task, source = reference.tokenizer, reference.task, reference.folder
    types = [one for one in tokenizer.model_input_names if one == "token_type_ids"]
    inputs = Inputs((*ALWAYS, *types), tokenizer.pad_token_id, tokenizer.pad_token_type_id)
    encoded = task.encode(examples, tokenizer, max_length=reference.max_length)
    sequences = encoded[:: -(-len(encoded) // CALIBRATION)]
    head = task.head([])
    file = convert(
        head.build(source, trained=True),
        folder,
        engine=engine,
        inputs=inputs,
        sequences=sequences,
        int8=int8,
    )
    write_backend(tokenizer, folder / "tokenizer.json")
    for kept in (CARD, DEV_KEPT):
        if (source / kept).is_file():
            shutil.copyfile(source / kept, folder / kept)
    content = {
        "format": FORMAT,
        "engine": engine,
        "model": file,
        "precision": "int8" if int8 else "fp32",
        "per_token": not head.pools,
        "inputs": list(inputs.names),
        "tokenizer": tokenizer_facts(tokenizer),
        "decomposed_hangul": knows_jamo(source),
        "calibrated": len(sequences) if int8 and engine == "openvino" else 0,
        "run": {"name": name, "recipe_hash": reference.card.get("recipe_hash", "")},
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {one: version(one) for one in ("bertft", "transformers", *NEEDED[engine])},
        "files": files_in(folder),
    }
    write_json(folder / EXPORT, content)
    return content


def tokenizer_facts(tokenizer: Any) -> dict[str, Any]:
    """What its tokenizer.json does not say."""
    return {
        "inputs": list(tokenizer.model_input_names),
        "pad_id": tokenizer.pad_token_id,
        "pad_type_id": tokenizer.pad_token_type_id,
        "unk_id": tokenizer.unk_token_id,
    }


def files_in(folder: Path) -> dict[str, dict[str, Any]]:
    """The files of a folder by name."""
    return {
        one.name: {"bytes": one.stat().st_size, "sha256": sha256(str(one))}
        for one in sorted(folder.iterdir())
    }
