"""The engine of a static model: vectors of tokens, and a head on their sum. No torch is needed.

    token ids -> vectors, which carry their weights -> sum, to length 1 -> hidden layer -> logits

No token knows of another, so a text costs a look-up and two small products.

Shape legend: V tokens, D dimensions, K units of the hidden layer, C labels, T tokens of all texts,
N texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from bertft.contracts import Encoded, FloatArray

FILE = "vectors.safetensors"
TOKENS = 2**16
"""Tokens whose vectors are looked up at once: 64 MiB of 256 dimensions."""
NAMES = ("vectors", "hidden", "hidden_bias", "output", "output_bias")


@dataclass(frozen=True, slots=True)
class StaticWeights:
    """``vectors`` [V, D], ``hidden`` [D, K] with ``hidden_bias`` [K], ``output`` [K, C] with
    ``output_bias`` [C]."""

    vectors: FloatArray
    hidden: FloatArray
    hidden_bias: FloatArray
    output: FloatArray
    output_bias: FloatArray

    def save(self, file: Path) -> None:
        """Vectors in half precision: what is lost is far below what a vector knows of a text."""
        arrays = {name: getattr(self, name).astype(np.float32) for name in NAMES}
        arrays["vectors"] = self.vectors.astype(np.float16)
        save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, file)

    @classmethod
    def load(cls, file: Path) -> StaticWeights:
        """Raises what safetensors raises for a file that is none, KeyError and ValueError for one
        of something else."""
        found = load_file(file)
        arrays = [found[name].astype(np.float32) for name in NAMES]
        weights = cls(*arrays)
        width, units = weights.hidden.shape
        shapes = [one.shape for one in arrays]
        labels = weights.output_bias.shape
        expected = [
            (len(weights.vectors), width),
            (width, units),
            (units,),
            (units, *labels),
            labels,
        ]
        if shapes != expected:
            raise ValueError("arrays of shapes that do not fit")
        return weights


@dataclass(frozen=True, slots=True)
class StaticEngine:
    """Answers with StaticWeights; see engine.py."""

    weights: StaticWeights
    precision: str = "fp32"

    def own_memory(self) -> None:
        """Nothing to do: the arrays are in memory."""

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        found: list[FloatArray] = []
        start = held = 0
        for place, one in enumerate(encoded):
            if held and held + len(one) > TOKENS:
                found.extend(self._some(encoded[start:place]))
                start, held = place, 0
            held += len(one)
        return [*found, *self._some(encoded[start:])] if encoded else []

    def _some(self, encoded: Sequence[Encoded]) -> FloatArray:
        """[N, C]"""
        w = self.weights
        flat = array("i")
        for one in encoded:
            flat.extend(one.input_ids)
        ids = np.frombuffer(flat, dtype=np.int32)  # [T]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        # The longest first, one token of each at a time: np.add.reduceat takes three times as long.
        order = np.argsort(-lengths, kind="stable")
        starts = (lengths.cumsum() - lengths)[order]
        going = np.searchsorted(-lengths[order], -np.arange(1, lengths.max() + 1), side="right")
        sums = np.zeros((len(encoded), w.vectors.shape[1]), dtype=np.float32)  # [N, D]
        for place, count in enumerate(going.tolist()):
            sums[:count] += w.vectors[ids[starts[:count] + place]]
        sums /= np.sqrt(np.einsum("nd,nd->n", sums, sums) + np.float32(1e-12))[:, None]
        inner = sums @ w.hidden + w.hidden_bias  # [N, K]
        logits = np.empty((len(encoded), len(w.output_bias)), dtype=np.float32)
        logits[order] = np.maximum(inner, 0, out=inner) @ w.output + w.output_bias
        return logits


def open_static(file: Path) -> StaticEngine:
    """Raises as StaticWeights.load."""
    return StaticEngine(StaticWeights.load(file))
