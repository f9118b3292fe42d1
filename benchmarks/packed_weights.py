"""Predicting in bf16 with weights that are cast and laid out once, beside autocast as it is.

    python benchmarks/packed_weights.py RUN [--rounds 3]

RUN is a run of one label for one text. Both load it, on one thread of a CPU where bf16 pays, and
take turns: 1, 4, 32 and 256 texts of 13 to 28 words. Prints milliseconds of CPU time, the lowest of
all passes, and the largest difference of a score.
"""

from __future__ import annotations

import argparse
import time
from typing import Any
from unittest import mock

import torch

from bertft.encoder.prepacked import Prepacked
from bertft.engines import on_torch
from bertft.prediction.predictor import load
from bertft.runs.folder import find_run

TEXT = "A slow start, but the last half hour is worth the ticket."
SIZES = (1, 4, 32, 256)
PASSES = 200
"""Texts of a round, about."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    run = find_run(given.run)
    packed: Any = load(run, device="cpu", precision="bf16")
    with mock.patch.object(on_torch, "prepack", return_value=False):
        cast: Any = load(run, device="cpu", precision="bf16")
    layers = [one for one in packed.engine.model.modules() if isinstance(one, torch.nn.Linear)]
    if not any(isinstance(one.forward, Prepacked) for one in layers):
        raise SystemExit("this torch does not pack weights")
    print(
        "| texts | autocast, ms | packed, ms | ratio | largest difference |\n|---|---|---|---|---|"
    )
    for size in SIZES:
        texts = [TEXT + " good" * (place % 16) for place in range(size)]
        best = {id(one): float("inf") for one in (cast, packed)}
        for _ in range(given.rounds * max(1, PASSES // size)):
            for one in (cast, packed):
                started = time.process_time()
                list(one.predict(texts))
                best[id(one)] = min(best[id(one)], time.process_time() - started)
        scores = [[a["score"] for a in one.predict(texts)] for one in (cast, packed)]
        apart = max(abs(a - b) for a, b in zip(*scores, strict=True))
        before, after = best[id(cast)] * 1e3, best[id(packed)] * 1e3
        print(f"| {size} | {before:.1f} | {after:.1f} | {after / before:.2f} | {apart:.1e} |")


if __name__ == "__main__":
    main()
