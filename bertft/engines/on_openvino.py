"""OpenVINO: the file of an exported model in, what answers arrays out."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.engines.padded import IntArray, Run, usable_threads

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What products run in that are not int8. OpenVINO's own choice is bf16 where a CPU has it, which
changes probabilities in their third digit."""

SIGNAL_STACK = 256 * 1024
"""Bytes of the stack that signal handlers get."""


def open_openvino(file: Path, *, precision: str) -> Run:
    """Raises whatever openvino raises for a file that is none."""
    openvino = import_openvino()
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": usable_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # all threads work on one batch
    }
    model = openvino.Core().compile_model(str(file), "CPU", settings)
    widen_signal_stack()

    def run(arrays: Mapping[str, IntArray]) -> FloatArray:
        found = list(model(dict(arrays)).values())
        # Questions have two outputs: logits of the start and of the end.
        return np.array(found[0]) if len(found) == 1 else np.stack(found, axis=-1)

    return run


def import_openvino() -> Any:
    """The package, without its telemetry: it would send an event to Google Analytics right here.

    Where that module cannot be imported, OpenVINO and NNCF go on without it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class _Stack(ctypes.Structure):
    """``stack_t`` of Linux, for sigaltstack(2)."""

    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def widen_signal_stack() -> None:
    """Give this thread's signal handlers room.

    On CPUs with AMX, OpenVINO's plugin has them run on a stack of 20 kB, of which the registers
    take 12. Python's handler needs more than what is left: SIGTERM would end as SIGSEGV.
    """
    if sys.platform != "linux":
        return
    _own.room = ctypes.create_string_buffer(SIGNAL_STACK)
    room = _Stack(ctypes.addressof(_own.room), 0, SIGNAL_STACK)
    ctypes.CDLL(None).sigaltstack(ctypes.byref(room), None)


_own = threading.local()
