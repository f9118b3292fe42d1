"""Exact search among sentence vectors: seconds, memory, for random unit vectors.

    python benchmarks/search.py [--vectors N] [--width W] [--threshold T]

Times what ``bertft similar --threshold`` and ``--query`` do after the texts are embedded. Prints
JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from bertft.inside.similarity import Nearest, near_pairs

BLOCK = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--threshold", type=float, default=0.9)
    given = parser.parse_args()
    random = np.random.default_rng(0)
    blocks = []
    for start in range(0, given.vectors, BLOCK):
        size = (min(BLOCK, given.vectors - start), given.width)
        block = random.standard_normal(size, dtype=np.float32)
        blocks.append(block / np.linalg.norm(block, axis=1, keepdims=True))
    started, used = time.perf_counter(), time.process_time()
    found = sum(1 for _ in near_pairs(blocks, threshold=given.threshold, most=10))
    pairs = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
    started = time.perf_counter()
    nearest = Nearest(blocks[0][:1], count=10)
    for block in blocks:
        nearest.add(block)
    result = {
        "vectors": given.vectors,
        "width": given.width,
        "found": found,
        "seconds_duplicates": {name: round(value, 1) for name, value in pairs.items()},
        "seconds_query": round(time.perf_counter() - started, 3),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
