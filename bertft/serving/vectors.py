"""The encoder of a model as a reader of its own: texts in, vectors out, as ``bertft embed``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bertft.contracts import Encoded, FloatArray
from bertft.inside.embedder import Embedder, View
from bertft.inside.encoders import open_encoder
from bertft.inside.request import EncoderRequest


class Vectors:
    """Reads texts; a vector [W] stands in the place of logits."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.max_length = embedder.extractor.max_length

    def encode(self, examples: Sequence[str]) -> list[Encoded]:
        return self._embedder.encode(examples)

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        return self._embedder.vectors(encoded)


def open_vectors(folder: Path, *, device: str) -> Vectors:
    """The encoder of a model's folder, in fp32. Raises BertftError."""
    encoder = open_encoder(EncoderRequest(model=str(folder), device=device, offline=True))
    embedder = Embedder(encoder, View())
    embedder.extractor.own_memory()
    return Vectors(embedder)
