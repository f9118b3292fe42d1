"""OpenVINO: the file of an exported model in, what answers arrays out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.engines.padded import IntArray, Run, usable_threads

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""What products run in that are not int8. OpenVINO's own choice is bf16 where a CPU has it, which
changes probabilities in their third digit."""


def open_openvino(file: Path, *, precision: str) -> Run:
    """Raises whatever openvino raises for a file that is none."""
    openvino = import_openvino()
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": usable_threads(),
        "PERFORMANCE_HINT": "LATENCY",  # all threads work on one batch
    }
    model = openvino.Core().compile_model(str(file), "CPU", settings)

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
