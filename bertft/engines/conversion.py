"""From a model in torch to the file of an engine, by the exporters of transformers.

    model + a few sequences -> torch.export -> ONNX or OpenVINO -> int8, where asked for -> a file

int8: for ONNX Runtime weights alone, and what they are multiplied with while answering (dynamic);
for OpenVINO both, with ranges from sequences of the training data (static, by NNCF).
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from bertft.contracts import Encoded
from bertft.engines.exported import check_packages
from bertft.engines.on_openvino import import_openvino
from bertft.engines.padded import Inputs
from bertft.errors import ModelError, first_line

FILES = {"onnx": "model.onnx", "openvino": "model.xml"}
NEEDED = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
}
"""Packages that convert a model, by engine."""
FOR_INT8 = {"onnx": (), "openvino": ("nncf",)}
CALIBRATION = 300
"""Sequences that NNCF looks at, at the most."""
EXPORTERS = "transformers.exporters"


def check_conversion(engine: str, *, int8: bool) -> None:
    """Raise ModelError where what converts a model is not installed."""
    check_packages(engine, NEEDED[engine] + (FOR_INT8[engine] if int8 else ()))
    try:
        importlib.import_module(EXPORTERS)
    except ImportError:
        what = f"transformers {version('transformers')} has no exporters"
        raise ModelError(what, hint="pip install 'transformers>=5.23'") from None


def convert(
    model: PreTrainedModel,
    folder: Path,
    *,
    engine: str,
    inputs: Inputs,
    sequences: Sequence[Encoded],
    int8: bool,
) -> str:
    """Write the model for ``engine`` into ``folder``; the name of its file.

    Args:
        model: as its folder loads, on the CPU, not set up for packed sequences.
        sequences: what it is traced with, one or more; for OpenVINO's int8 also what is measured.

    Raises:
        ModelError: this model cannot be converted.
    """
    if engine == "openvino":
        import_openvino()
    model.train(False)
    shown = _tensors(inputs, [*sequences, *sequences][:2])  # of one, torch would think it fixed
    measured = [_tensors(inputs, [one]) for one in sequences]
    file = folder / FILES[engine]
    try:
        with _silence(), torch.random.fork_rng(devices=[]):
            exporter, config = _exporter(engine, measured if int8 else None)
            exporter.save_program(exporter.export(model, shown, config=config).program, file)
    except Exception as error:  # torch.export and what follows it have no common class
        kind = type(model).__name__
        what = f"{kind} cannot be converted for {engine} ({first_line(error)})"
        raise ModelError(what, hint="try the other engine") from error
    return file.name


def _tensors(inputs: Inputs, sequences: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    arrays = inputs.arrays(sequences)
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def _exporter(engine: str, measured: Sequence[dict[str, torch.Tensor]] | None) -> tuple[Any, Any]:
    """An exporter of transformers and its configuration; ``measured`` asks for int8."""
    exporters: Any = importlib.import_module(EXPORTERS)
    quantizer = None
    if engine == "onnx":
        if measured is not None:
            dynamic = exporters.OnnxRuntimeDynamicConfig(per_channel=True)
            quantizer = exporters.OnnxRuntimeQuantizer(dynamic)
        return exporters.OnnxExporter(), exporters.OnnxConfig(dynamic=True, quantizer=quantizer)
    if measured is not None:
        settings = exporters.NNCFQuantizationConfig(subset_size=len(measured))
        quantizer = exporters.NNCFOpenVINOQuantizer(settings, calibration_dataset=measured)
    config = exporters.OpenVINOConfig(dynamic=True, quantizer=quantizer)
    return exporters.OpenVINOExporter(), config


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """These libraries print their progress and log their doubts; the console is ours."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        logging.disable(before)
