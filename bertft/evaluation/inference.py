"""Forward passes without gradients: Encoded go in, one array of float32 logits each comes out.

Training's dev scores, ``eval`` and ``predict`` share this one function, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bertft.contracts import Batcher, Encoded, FloatArray, Head, Pieces
from bertft.training.plan import inference_batches

MAX_TOKENS = 8192
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def compute_logits(
    model: torch.nn.Module,
    encoded: Sequence[Encoded],
    *,
    head: Head,
    batcher: Batcher,
    precision: str,
) -> list[FloatArray]:
    """Logits of every Encoded, in the order given; batches are formed by length inside.

    ``precision`` is fp32, bf16 or fp16; weights stay float32 and products run in it.
    """
    device = next(model.parameters()).device
    logits: list[FloatArray | None] = [None] * len(encoded)
    model.eval()
    cast = torch.autocast(
        device.type, dtype=AUTOCAST.get(precision, torch.bfloat16), enabled=precision in AUTOCAST
    )
    with torch.inference_mode(), cast:
        for indices in inference_batches([len(one) for one in encoded], max_tokens=MAX_TOKENS):
            batch = batcher(encoded, indices, head=None)
            rows = head.split(model(**batch.on(device)), batch)
            for index, row in zip(batch.encoded, rows, strict=True):
                logits[index] = row
    return [row for row in logits if row is not None]


def pieces_of(count: int, encoded: Sequence[Encoded], logits: Sequence[FloatArray]) -> list[Pieces]:
    """All windows with their logits for each of ``count`` examples, in the examples' order."""
    pieces: list[list[tuple[Encoded, FloatArray]]] = [[] for _ in range(count)]
    for one, row in zip(encoded, logits, strict=True):
        pieces[one.example].append((one, row))
    return list(pieces)
