"""The contract of an engine: Encoded go in, one array of float32 logits each comes out.

All that is above it (labels, thresholds, windows, spans) does not know which engine it asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bertft.contracts import Encoded, FloatArray


class Engine(Protocol):
    """A model that is ready to answer, on its device."""

    @property
    def precision(self) -> str:
        """What its products run in: fp32, bf16, fp16 or int8."""
        ...

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        """[C] per sequence, or [L, C] per token, in the order given."""
        ...

    def own_memory(self) -> None:
        """Hold the weights in memory, whatever happens to their file from now on."""
        ...
