"""Which engine answers for an exported model: its file and what was asked for in, an Engine out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bertft.engines.engine import Engine
from bertft.engines.on_onnx import open_onnx
from bertft.engines.on_openvino import open_openvino
from bertft.engines.on_static import open_static
from bertft.engines.padded import Inputs, PaddedEngine
from bertft.errors import DeviceError, ModelError, RunError, first_line

RUNNING: dict[str, tuple[str, ...]] = {
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
    "static": (),
}
"""Packages that answer, by engine."""
PRECISIONS = {"onnx": ("fp32",), "openvino": ("fp32", "bf16"), "static": ("fp32",)}
"""What a model of float32 weights can run in."""
MULTIPLES = {"onnx": 1, "openvino": 4}
"""What lengths are rounded up to. OpenVINO compiles its kernels anew for each shape that it meets:
3,000 phrases are answered a third faster by the first call, and no slower by the next."""


def check_packages(engine: str, packages: Sequence[str]) -> None:
    """Raise ModelError, with what installs them, where packages are missing."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        what = f"{engine} needs {' and '.join(missing)}, which is not installed"
        raise ModelError(what, hint=f"pip install 'bertft[{engine}]'")


def open_exported(
    engine: str,
    file: Path,
    *,
    inputs: Inputs,
    per_token: bool,
    stored: str,
    device: str,
    precision: str,
) -> Engine:
    """The engine of a file whose products are ``stored`` as fp32 or int8.

    Raises:
        ModelError: a package is missing.
        DeviceError: a device or precision that it does not run on.
        RunError: the file is damaged.
    """
    check_packages(engine, RUNNING[engine])
    if device not in ("auto", "cpu"):
        raise DeviceError(f"an export answers on the CPU, not on {device}", hint="--device cpu")
    allowed = PRECISIONS[engine] if stored == "fp32" else (stored,)
    if precision not in ("auto", *allowed):
        what = f"this export runs in {' or '.join(allowed)}, not in {precision}"
        raise DeviceError(what, hint="leave --precision out")
    chosen = stored if precision == "auto" else precision
    opening = partial(open_openvino, precision=chosen) if engine == "openvino" else open_onnx
    try:
        if engine == "static":
            return open_static(file)
        run = opening(file)
    except Exception as error:  # errors of these libraries have no common class
        raise RunError(f"{file}: cannot be loaded ({first_line(error)})") from None
    return PaddedEngine(run, replace(inputs, multiple=MULTIPLES[engine]), per_token, chosen)
