"""What the machine can do: device, precision and threads, measured instead of assumed.

bf16 without hardware support can run at a hundredth of the speed of fp32, so it is chosen on a CPU
only if a short measurement shows that it is faster.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs

from bertft.errors import DeviceError, did_you_mean
from bertft.training import processes, sharding

PROBE_SECONDS = 0.04
PROBE_ROUNDS = 6
WORTHWHILE = 1.3
EXCHANGE = DistributedDataParallelKwargs(gradient_as_bucket_view=True)  # it saves a copy
PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


@dataclass(frozen=True, slots=True)
class Runtime:
    """The device and precision of a run, and why the precision was chosen."""

    device: str
    precision: str
    reason: str
    threads: int
    sharded: bool = False
    """Whether each process holds but a part of the model."""


def choose_runtime(*, device: str = "auto", precision: str = "auto") -> Runtime:
    """Device and precision for this machine. Raises DeviceError for what it does not have."""
    if precision not in ("auto", *PRECISIONS):
        hint = did_you_mean(precision, ("auto", *PRECISIONS))
        raise DeviceError(f"no precision '{precision}'", hint=hint)
    device = _device(device)
    chosen, reason = precision, "as set"
    if precision == "auto":
        chosen, reason = _best_precision(device)
    elif precision == "fp16" and device != "cuda":
        raise DeviceError(f"fp16 needs a CUDA device, not {device}", hint="use bf16 or fp32")
    return Runtime(device, chosen, reason, torch.get_num_threads())


def make_accelerator(runtime: Runtime) -> tuple[Accelerator, Runtime]:
    """The Accelerator of this run, and the runtime that all its processes share.

    Raises:
        DeviceError: Accelerate was told to share out the model in a way that is not supported.
    """
    sharded = sharding.asked_for() and processes.count() > 1
    # Accelerate 1.15 keeps device and precision for the whole process and refuses others.
    AcceleratorState._reset_state(reset_partial_state=True)
    # The group of processes comes first: each has measured for itself whether bf16 pays.
    PartialState(cpu=runtime.device == "cpu")
    runtime = replace(processes.main_decides(lambda: runtime), sharded=sharded)
    if sharded and runtime.precision == "fp16":
        raise DeviceError("FSDP in fp16 is not supported", hint="--set training.precision=fp32")
    with sharding.taken_over():
        accelerator = Accelerator(
            cpu=runtime.device == "cpu",
            mixed_precision=PRECISIONS[runtime.precision],
            kwargs_handlers=[EXCHANGE],
        )
    return accelerator, runtime


def has_device(device: str) -> bool:
    """Whether this machine has a device of that kind."""
    return _devices().get(device, False)


def _devices() -> dict[str, bool]:
    return {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }


def _device(asked: str) -> str:
    there = _devices()
    if asked not in ("auto", *there):
        raise DeviceError(f"no device '{asked}'", hint=did_you_mean(asked, ("auto", *there)))
    if asked == "auto":
        return "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there[asked]:
        has = ", ".join(name for name, found in there.items() if found)
        raise DeviceError(f"no {asked} device on this machine", hint=f"it has: {has}")
    return asked


def _best_precision(device: str) -> tuple[str, str]:
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "the GPU has bf16"
        return "fp16", "the GPU has no bf16"
    if device == "mps":
        return "fp32", "bf16 is not used on MPS"
    gain = cpu_bf16_gain()
    what = f"bf16 matrix products run at {gain:.2g}x the speed of fp32 here"
    return ("bf16" if gain >= WORTHWHILE else "fp32"), what


@cache
def cpu_bf16_gain() -> float:
    """Speed of bf16 over fp32 for a matrix product of BERT's shape on this CPU."""
    kinds = (torch.float32, torch.bfloat16)
    # In turns, and the best of each: what else the machine is doing must not choose the precision.
    rounds = [[_products_per_second(kind) for kind in kinds] for _ in range(PROBE_ROUNDS)]
    fp32, bf16 = (max(rates) for rates in zip(*rounds, strict=True))
    return float(bf16 / fp32)


def matrix_rate(kind: torch.dtype) -> float:
    """Multiply-adds per second times 2 (FLOP/s) of ``[512, 384] @ [384, 1536]``."""
    return _products_per_second(kind) * 2 * 512 * 384 * 1536


def _products_per_second(kind: torch.dtype) -> float:
    left, right = torch.ones(512, 384, dtype=kind), torch.ones(384, 1536, dtype=kind)
    left @ right
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < PROBE_SECONDS or count == 0:
        left @ right
        count += 1
    return count / spent
