"""A model that is shared out over the processes (FSDP 2): each holds a part of every tensor.

Accelerate's launcher asks for it in environment variables (``--use_fsdp --fsdp_version 2``). Here a
model becomes parts, and parts become whole tensors again: what is saved is what one process saves.
Without sharding the functions that loop and checkpoints call are free and change nothing: torch's
modules for it, half a second to import, stay out.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from transformers import PreTrainedModel

from bertft.errors import DeviceError
from bertft.training import processes

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

ASKED = "ACCELERATE_USE_FSDP"
WHOLE = "launch with --multi_gpu or --cpu: each process then holds the whole model"
REFUSED = {
    "ACCELERATE_USE_DEEPSPEED": ("training with DeepSpeed", WHOLE),
    "ACCELERATE_USE_MEGATRON_LM": ("training with Megatron-LM", WHOLE),
    "ACCELERATE_USE_PARALLELISM_CONFIG": ("sharding by a parallelism config", "leave it out"),
    "FSDP_OFFLOAD_PARAMS": ("FSDP's offloading to the CPU", "use more processes"),
    "FSDP_ACTIVATION_CHECKPOINTING": (
        "FSDP's activation checkpointing",  # in Accelerate 1.15 it draws dropout anew
        "--set training.gradient_checkpointing=true",
    ),
    "FSDP_IGNORED_MODULES": ("FSDP without some modules", "leave fsdp_ignored_modules out"),
}
"""What a launcher may ask for that cannot be had: environment variable -> what, way out."""
IS_LAYER = re.compile(r"\.(?:layer|layers|h|block)\.\d+$")
OFF = ("", "false", "no", "0", "none")


def asked_for() -> bool:
    """Whether the launcher wants the model sharded.

    Raises:
        DeviceError: it wants that in a way, or with an extra, that is not supported.
    """
    for name, (what, hint) in REFUSED.items():
        if _is_on(name) and (name.startswith("ACCELERATE") or _is_on(ASKED)):
            raise DeviceError(f"{what} is not supported", hint=hint)
    if not _is_on(ASKED):
        return False
    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise DeviceError("FSDP 1 is not supported", hint="launch with --fsdp_version 2")
    return True


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").lower() not in OFF


@contextmanager
def taken_over() -> Iterator[None]:
    """Keep from Accelerate, while it starts, that the model is to be sharded: ``shard`` does that.

    Accelerate 1.15 heeds it on GPUs only; it cuts BERT where torch refuses (a layer twice, a tied
    bias), and where the parts of several tensors are empty its optimizer loses all but one of them.
    """
    # All processes read all weights: the trial of ``choose_batcher`` needs them, which transformers
    # leaves to the first process otherwise.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    asked = os.environ.pop(ASKED, None)
    try:
        yield
    finally:
        if asked is not None:
            os.environ[ASKED] = asked


def shard(model: PreTrainedModel, *, device: torch.device, precision: str) -> None:
    """Leave each process its part of every tensor; a layer's are whole only while it computes.

    The table of word embeddings is a unit of its own, unless an output layer shares it. Weights are
    gathered in the ``precision`` of products, fp32 or bf16; gradients are added up in fp32.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy()
    if precision == "bf16":
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    mesh = init_device_mesh(device.type, (processes.count(),))
    again = os.environ.get("FSDP_RESHARD_AFTER_FORWARD", "true").lower() not in OFF
    outer: Any = model  # transformers 5.23 leaves this method untyped
    table, output = model.get_input_embeddings(), outer.get_output_embeddings()
    units = [one for name, one in model.named_modules() if IS_LAYER.search(name)]
    if output is None or output.weight is not table.weight:
        units.append(table)
    for unit in units:
        fully_shard(unit, mesh=mesh, mp_policy=policy, reshard_after_forward=again)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    # torch 2.13 warns of logits that are views; no head writes into its logits.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")


def is_sharded(model: torch.nn.Module) -> bool:
    return _is_a(model, "torch.distributed.fsdp", "FSDPModule")


def _is_part(tensor: torch.Tensor) -> TypeGuard[DTensor]:
    return _is_a(tensor, "torch.distributed.tensor", "DTensor")


def _is_a(thing: object, module: str, name: str) -> bool:
    """Whether it is of a class; nothing is where nobody has imported its module."""
    return module in sys.modules and isinstance(thing, getattr(sys.modules[module], name))


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of which each process has a part; all of them call this at the same time."""
    return tensor.full_tensor() if _is_part(tensor) else tensor


def gathered(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole tensors by name, those that were parts in the main process only, on its CPU.

    All processes call this at the same time.
    """
    found = {}
    for name, tensor in tensors.items():
        if not _is_part(tensor):
            found[name] = tensor
            continue
        full = tensor.full_tensor()
        if processes.is_main():  # elsewhere it is freed at once: one tensor at a time is whole
            found[name] = full.cpu()
    return found


def shared_out(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole tensor as ``like`` is: this process's part of it where that is one.

    All processes call this at the same time.
    """
    if not _is_part(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
