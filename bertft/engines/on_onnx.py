"""ONNX Runtime: the file of an exported model in, what answers arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.engines.padded import IntArray, Run, usable_threads

SAFE_INT8 = "session.x64quantprecision"
"""On x86 CPUs without VNNI, int8 products of the fast kernels overflow, silently; with this setting
ONNX Runtime takes kernels that do not. On CPUs with VNNI they give the same numbers in twice the
time."""
CPU = Path("/proc/cpuinfo")


def open_onnx(file: Path) -> Run:
    """Raises whatever onnxruntime raises for a file that is none."""
    session = make_session(file)

    def run(arrays: Mapping[str, IntArray]) -> FloatArray:
        found = session.run(None, dict(arrays))
        # Questions have two outputs: logits of the start and of the end.
        return np.asarray(found[0] if len(found) == 1 else np.stack(found, axis=-1))

    return run


def make_session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; what concerns users is said by the console
    options.intra_op_num_threads = usable_threads()
    if not has_vnni():
        options.add_session_config_entry(SAFE_INT8, "1")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def has_vnni() -> bool:
    """Whether the CPU is known to have these instructions: Linux tells; elsewhere False."""
    try:
        return "vnni" in CPU.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
