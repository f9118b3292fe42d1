"""Forward passes without gradients: Encoded go in, one array of float32 logits each comes out.

Training's dev scores, ``eval`` and ``predict`` share this one function, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from bertft.contracts import Batcher, Encoded, FloatArray, Readout
from bertft.training import processes, sharding
from bertft.training.plan import inference_batches

MAX_TOKENS = 8192
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def compute_logits(
    model: torch.nn.Module,
    encoded: Sequence[Encoded],
    *,
    head: Readout,
    batcher: Batcher,
    precision: str,
    together: bool = False,
) -> list[FloatArray]:
    """Logits of every Encoded, in the order given; batches are formed by length inside.

    Encoded that share their tokens, as one and the same array, are computed once. ``precision`` is
    fp32, bf16 or fp16; weights stay float32 and products run in it. With ``together`` all processes
    call this at the same time: they share the batches, and each gets all logits.
    """
    places: dict[tuple[int, int, int], int] = {}
    if isinstance(encoded, list):  # what makes its rows anew when they are asked for shares none
        for one in encoded:
            places.setdefault(_input(one), len(places))
    if len(places) in (0, len(encoded)):
        return _computed(
            model, encoded, head=head, batcher=batcher, precision=precision, together=together
        )
    distinct = {_input(one): one for one in reversed(encoded)}
    rows = _computed(
        model,
        [distinct[key] for key in places],
        head=head,
        batcher=batcher,
        precision=precision,
        together=together,
    )
    return [rows[places[_input(one)]] for one in encoded]


def _input(one: Encoded) -> tuple[int, int, int]:
    """What tells an input from every other one that is in memory."""
    return id(one.input_ids), id(one.token_type_ids), id(one.masked)


def _computed(
    model: torch.nn.Module,
    encoded: Sequence[Encoded],
    *,
    head: Readout,
    batcher: Batcher,
    precision: str,
    together: bool,
) -> list[FloatArray]:
    device = next(model.parameters()).device
    logits: list[FloatArray | None] = [None] * len(encoded)
    if model.training:  # to walk all modules costs as much as a text
        model.eval()
    cast = torch.autocast(
        device.type, dtype=AUTOCAST.get(precision, torch.bfloat16), enabled=precision in AUTOCAST
    )
    batches = inference_batches([len(one) for one in encoded], max_tokens=MAX_TOKENS)
    # With fewer batches than processes, each computes all: there is little to share.
    shared = together and 1 < processes.count() <= len(batches)
    is_sharded = sharding.is_sharded(model)
    # Weights that are gathered in inference mode could not be trained with.
    guard = torch.no_grad() if is_sharded else torch.inference_mode()
    with guard, cast:
        for indices in _turns(batches) if shared else batches:
            if not indices and not is_sharded:
                continue
            batch = batcher(encoded, indices or batches[0], head=None)
            rows = head.split(model(**batch.on(device)), batch)
            if indices:
                for index, row in zip(batch.encoded, rows, strict=True):
                    logits[index] = row
    return _exchanged(logits, encoded) if shared else [row for row in logits if row is not None]


def _turns(batches: Sequence[Sequence[int]]) -> Iterator[Sequence[int]]:
    """This process's batches; an empty one where others have one left.

    All take as many turns: a sharded model needs every process in each pass.
    """
    for first in range(0, len(batches), processes.count()):
        index = first + processes.rank()
        yield batches[index] if index < len(batches) else []


def _exchanged(logits: list[FloatArray | None], encoded: Sequence[Encoded]) -> list[FloatArray]:
    """All processes' rows; each gives its own and None for the rest."""
    known = next(row for row in logits if row is not None)
    heights = [len(one) if known.ndim == 2 else 1 for one in encoded]
    width = known.shape[-1]
    empty = [np.zeros((height, width), dtype=np.float32) for height in heights]
    mine = [blank if row is None else row for row, blank in zip(logits, empty, strict=True)]
    flat = np.concatenate([row.reshape(-1, width) for row in mine])
    total = processes.summed_tensor(torch.from_numpy(flat)).numpy()  # 0 + x is x to the last bit
    rows = np.split(total, np.cumsum(heights)[:-1])
    return rows if known.ndim == 2 else [row[0] for row in rows]
