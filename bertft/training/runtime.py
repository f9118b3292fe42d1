"""What the machine can do: device, precision and threads, measured instead of assumed.

bf16 without hardware support can run at a hundredth of the speed of fp32, so it is chosen on a CPU
only if a short measurement shows that it is faster (probe.py).

The number of threads is torch's own, or that of OMP_NUM_THREADS, and no measurement chooses it: it
changes results in their last bits, so that two runs of one seed must not differ in it, and what is
measured depends on what else the machine does (on a busy one of two cores, two threads ran at 0.4
to 1.3 times the speed of one within a minute). The precision of fp32 products stays as it is, too
(torch.set_float32_matmul_precision): whoever asks for fp32 asks for its digits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs

from bertft.errors import DeviceError, did_you_mean
from bertft.training import processes, sharding
from bertft.training.probe import cpu_speeds, usable_cores

EXCHANGE = DistributedDataParallelKwargs(gradient_as_bucket_view=True)  # it saves a copy
PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


@contextmanager
def without_denormals() -> Iterator[None]:
    """What is smaller than the smallest normal number counts as zero on a CPU meanwhile.

    Moments of weights that have no gradient any more get there, where a Zen 4 core takes twenty
    times as long. Threads inherit this from their maker.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The device and precision of a run, and why the precision was chosen."""

    device: str
    precision: str
    reason: str
    threads: int
    sharded: bool = False
    """Whether each process holds but a part of the model."""


def choose_runtime(
    *, device: str = "auto", precision: str = "auto", threads: int | None = None
) -> Runtime:
    """Device and precision for this machine. Raises DeviceError for what it does not have.

    ``threads`` are those of a run that goes on: this process takes as many, so that its weights
    stay equal to the last bit, unless OMP_NUM_THREADS says otherwise or the cores are fewer.
    """
    if precision not in ("auto", *PRECISIONS):
        hint = did_you_mean(precision, ("auto", *PRECISIONS))
        raise DeviceError(f"no precision '{precision}'", hint=hint)
    device = _device(device)
    chosen, reason = precision, "as set"
    if precision == "auto":
        chosen, reason = _best_precision(device)
    elif precision == "fp16" and device != "cuda":
        raise DeviceError(f"fp16 needs a CUDA device, not {device}", hint="use bf16 or fp32")
    if device == "cpu" and threads:
        _go_on_with(threads)
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


def _go_on_with(threads: int) -> None:
    """Work with so many threads, unless the environment names another number, or cores lack."""
    if "OMP_NUM_THREADS" not in os.environ and threads <= usable_cores():
        torch.set_num_threads(threads)


def _best_precision(device: str) -> tuple[str, str]:
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "the GPU has bf16"
        return "fp16", "the GPU has no bf16"
    if device == "mps":
        return "fp32", "bf16 is not used on MPS"
    speeds = cpu_speeds()
    what = f"bf16 matrix products run at {speeds.gain:.2g}x the speed of fp32 here"
    if not speeds.is_new:
        what += f", measured {time.strftime('%Y-%m-%d', time.localtime(speeds.measured))}"
    return ("bf16" if speeds.is_worthwhile else "fp32"), what
