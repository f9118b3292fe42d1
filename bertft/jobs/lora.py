"""LoRA: what it asks of a recipe and of this machine, and what it is told as.

The adapters themselves are in training/adapters.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from bertft.engines.exported import check_packages
from bertft.errors import DeviceError
from bertft.jobs.prepare import Job
from bertft.training import loop, sharding
from bertft.training.adapters import adapters_in
from bertft.words import counted


def check_lora(job: Job) -> None:
    """Raises:
    ModelError: peft is not installed.
    DeviceError: the model is to be shared out over processes.
    """
    check_packages("lora", ("peft",))
    if job.runtime.sharded:
        raise DeviceError("LoRA on a sharded model (FSDP) is not supported", hint=sharding.WHOLE)


def lora_notes(job: Job, trainer: loop.Trainer) -> Iterator[str]:
    """What is otherwise than in fine-tuning."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    settings = job.recipe.training
    layers = counted(adapters_in(model), "linear layer")
    where = f"adapters of rank {job.recipe.lora.rank} on {layers}"
    yield f"LoRA: {where}, and the head, learn at a rate of {settings.learning_rate:g}"
