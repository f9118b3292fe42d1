"""Engines of exported models: sequences are padded to arrays, and a function answers these.

ONNX Runtime and OpenVINO differ in that function alone (on_onnx.py, on_openvino.py).

Shape legend: B sequences, L longest length, C labels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bertft.contracts import Encoded, FloatArray
from bertft.training.plan import inference_batches

MAX_TOKENS, MAX_SEQUENCES = 4096, 64
"""Of a padded batch; larger ones are no faster on a CPU, and take more memory."""

IntArray: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Run = Callable[[Mapping[str, IntArray]], FloatArray]
"""Arrays [B, L] by the names of a model's inputs -> logits [B, C], or [B, L, C] per token."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """How sequences become arrays: the ``names`` of a model's inputs, and what pads them."""

    names: tuple[str, ...]
    pad_id: int
    pad_type_id: int
    max_length: int = 0
    """Tokens that the model reads at the most."""
    multiple: int = 1
    """Arrays are as long as a multiple of this, where ``max_length`` allows it."""

    def arrays(self, chosen: Sequence[Encoded]) -> dict[str, IntArray]:
        longest = max(map(len, chosen))
        length = max(longest, min(-(-longest // self.multiple) * self.multiple, self.max_length))
        ids = np.full((len(chosen), length), self.pad_id, dtype=np.int64)  # [B, L]
        types = np.full((len(chosen), length), self.pad_type_id, dtype=np.int64)
        mask = np.zeros((len(chosen), length), dtype=np.int64)
        for row, one in enumerate(chosen):
            ids[row, : len(one)] = one.input_ids
            mask[row, : len(one)] = 1
            if one.token_type_ids:
                types[row, : len(one)] = one.token_type_ids
        found = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: found[name] for name in self.names}


@dataclass(frozen=True, slots=True)
class PaddedEngine:
    """The engine of an exported model; ``per_token`` says that it answers for each token."""

    run: Run
    inputs: Inputs
    per_token: bool
    precision: str

    def own_memory(self) -> None:
        """Nothing to do: the folder of an export is never written again."""

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        logits: list[FloatArray] = [np.zeros(0, dtype=np.float32)] * len(encoded)
        lengths = [len(one) for one in encoded]
        batches = inference_batches(lengths, max_tokens=MAX_TOKENS, max_sequences=MAX_SEQUENCES)
        for indices in batches:
            found = self.run(self.inputs.arrays([encoded[index] for index in indices]))
            for index, row in zip(indices, found, strict=True):
                logits[index] = row[: lengths[index]] if self.per_token else row
        return logits


def usable_threads() -> int:
    """OMP_NUM_THREADS, as for torch; else the cores that this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told):
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
