"""environment.json: what a run depends on beside its recipe, each input by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bertft.jobs.prepare import Job
from bertft.loaders.files import sha256
from bertft.recipe import HUB
from bertft.runs.inputs import recorded_encoder, recorded_file

PACKAGES = ("torch", "transformers", "accelerate", "datasets", "evaluate", "tokenizers", "numpy")


ENCODER_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


def environment(job: Job) -> dict[str, Any]:
    """What the run depends on beside its recipe: inputs by SHA-256, labels, versions, machine."""
    folder = job.encoder.folder
    files = sorted(path for pattern in ENCODER_FILES for path in folder.glob(pattern))
    return {
        "recipe": Path(job.name).stem,
        "recipe_hash": job.recipe.hash(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {"python": platform.python_version(), "bertft": version("bertft")}
        | {package: version(package) for package in _packages(job)},
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "mode": job.recipe.training.mode,
        "model": {
            "name": recorded_encoder(job.encoder.name),
            "revision": job.encoder.revision,
            "files": {path.name: sha256(str(path)) for path in files},
        },
        "data": _data(job),
        "labels": list(job.task.labels),
        "device": job.runtime.device,
        "precision": {"used": job.runtime.precision, "reason": job.runtime.reason},
        "threads": job.runtime.threads,
        "processes": job.accelerator.num_processes,
        "sharded": job.runtime.sharded,
    }


def _packages(job: Job) -> tuple[str, ...]:
    return (*PACKAGES, "peft") if job.recipe.training.mode == "lora" else PACKAGES


def _data(job: Job) -> dict[str, dict[str, str]]:
    """Each file that examples or their labels come from, by what it is to the run."""
    data = job.recipe.data
    files = {name: (path, _digest(path, job.splits[name])) for name, path in job.files.items()}
    for number, path in enumerate(data.further, start=2):
        files[f"train {number}"] = path, _digest(path, job.splits["train"])
    if data.corrections:
        files["corrections"] = data.corrections, sha256(data.corrections)
    return {
        name: {"path": recorded_file(path), "sha256": digest}
        for name, (path, digest) in files.items()
    }


def _digest(path: str, examples: Sequence[Any]) -> str:
    """SHA-256 of a file; of stdin, Hub data and folders, of the examples as they were read."""
    if not path.startswith(HUB) and path != "-" and not Path(path).is_dir():
        return sha256(path)
    digest = hashlib.sha256()
    for one in examples:
        digest.update(repr(one).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
