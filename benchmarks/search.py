"""Search among sentence vectors: seconds, memory, for random unit vectors.

    python benchmarks/search.py [--vectors N] [--width W] [--threshold T]
    python benchmarks/search.py --approximate --vectors 1000000
    python benchmarks/search.py --approximate --texts questions.txt

Times what ``bertft similar --threshold`` and ``--query`` do after the texts are embedded. With
``--approximate`` what ``bertft search`` does of a million passages: the lists of faiss beside exact
search, over vectors made in clusters (or those of the lines of a file, by ``minilm``), and how many
of the ten nearest they find. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import bertft
from bertft.evaluation.ranking import best
from bertft.inside.similarity import Nearest as Exact
from bertft.inside.similarity import near_pairs
from bertft.retrieval.nearest import Nearest, make_lists, write_lists

BLOCK = 2048
QUERIES = 200


def clustered(count: int, width: int, *, spread: float) -> np.ndarray:
    """Unit vectors [N, W] around random centres, 100 to each; the cosine inside a cluster is about
    1 / (1 + spread squared)."""
    source = np.random.default_rng(0)
    centres = source.standard_normal((max(1, count // 100), width), dtype=np.float32)
    vectors = np.empty((count, width), dtype=np.float32)
    for start in range(0, count, BLOCK):
        block = vectors[start : start + BLOCK]
        block[:] = spread * source.standard_normal(block.shape, dtype=np.float32)
        block += centres[source.integers(0, len(centres), len(block))]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def near(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors [Q, W], each like one of the others (cosine 0.8)."""
    source = np.random.default_rng(1)
    queries = vectors[source.integers(0, len(vectors), QUERIES)]
    queries += 0.7 / queries.shape[1] ** 0.5 * source.standard_normal(queries.shape, np.float32)
    return queries / np.linalg.norm(queries, axis=1, keepdims=True)


def of_texts(path: str) -> np.ndarray:
    """Unit vectors [N, W] of the lines of a file, each once."""
    lines = list(dict.fromkeys(Path(path).read_text(encoding="utf-8").splitlines()))
    random.Random(0).shuffle(lines)
    return np.asarray(bertft.embed(lines, model="minilm", normalize=True, device="cpu"))


def approximate(vectors: np.ndarray, queries: np.ndarray) -> dict[str, object]:
    """Recall of the ten nearest, milliseconds of a query, seconds and size of the lists."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    lists = make_lists(vectors)
    made = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.vectors"
        write_lists(file, lists)
        size = file.stat().st_size
    nearest = Nearest(lists)
    shares, exact_ms, list_ms = [], [], []
    for query in queries:
        start = time.perf_counter()
        wanted = best(vectors @ query, count=10)
        exact_ms.append(1e3 * (time.perf_counter() - start))
        start = time.perf_counter()
        found = nearest.places(query, count=100)
        found = found[np.argsort(-(vectors[found] @ query))][:10]
        list_ms.append(1e3 * (time.perf_counter() - start))
        shares.append(len(set(wanted.tolist()) & set(found.tolist())) / len(wanted))
    return {
        "vectors": len(vectors),
        "width": vectors.shape[1],
        "lists": nearest.count,
        "read": nearest.read,
        "seconds_made": {name: round(value, 1) for name, value in made.items()},
        "mb_on_disk": round(size / 1e6),
        "gib_of_vectors": round(before / 2**20, 2),
        "gib_at_most": round(peak / 2**20, 2),
        "recall@10": float(np.mean(shares)),
        "median_ms": {"exact": median(exact_ms), "lists": median(list_ms)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--approximate", action="store_true")
    parser.add_argument("--texts", default="", help="a file of lines in the place of made vectors")
    parser.add_argument("--spread", type=float, default=1.2, help="of a cluster of vectors")
    given = parser.parse_args()
    if given.approximate:
        if given.texts:
            vectors = of_texts(given.texts)
            found = approximate(vectors[QUERIES:], vectors[:QUERIES])
        else:
            vectors = clustered(given.vectors, given.width, spread=given.spread)
            found = approximate(vectors, near(vectors))
        print(json.dumps(found, indent=2))
        return
    source = np.random.default_rng(0)
    blocks = []
    for start in range(0, given.vectors, BLOCK):
        size = (min(BLOCK, given.vectors - start), given.width)
        block = source.standard_normal(size, dtype=np.float32)
        blocks.append(block / np.linalg.norm(block, axis=1, keepdims=True))
    started, used = time.perf_counter(), time.process_time()
    found = sum(1 for _ in near_pairs(blocks, threshold=given.threshold, most=10))
    pairs = {"wall": time.perf_counter() - started, "cpu": time.process_time() - used}
    started = time.perf_counter()
    nearest = Exact(blocks[0][:1], count=10)
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
