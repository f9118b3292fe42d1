"""The nearest of very many vectors without looking at all: faiss, the extra ``index``.

Vectors go in; lists of like vectors come out, kept in the cache, of which a search reads those that
the question is nearest to. Places found so are compared by their exact cosine.

    HASH.vectors    the lists, as faiss writes them (IVF, 8 bits a number)

Shape legend: N vectors, W width, q places found.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bertft.cache_folder import cache_folder, largest, make_room, not_kept, whole_file
from bertft.contracts import FloatArray
from bertft.evaluation.ranking import IndexArray
from bertft.watch import Watch

LARGE = 1_000_000
"""Vectors from which not all are compared, where faiss is there."""
READ = 1 / 32
"""Share of the lists that a search reads."""
SAMPLE = 40
"""Vectors for each list, from which the lists are learned; faiss asks for 39 or more."""


class Nearest:
    """Lists of vectors, ready to be searched."""

    def __init__(self, lists: Any) -> None:
        self._lists = lists
        self.count = int(lists.nlist)
        self.read = max(1, round(READ * self.count))
        lists.nprobe = self.read

    def places(self, vector: FloatArray, *, count: int) -> IndexArray:
        """[q] at most ``count`` vectors that are near to one [W], the nearest first."""
        _, found = self._lists.search(vector[None].astype(np.float32), count)
        places: IndexArray = found[0][found[0] >= 0]
        return places


def nearest_of(vectors: FloatArray, *, key: str, watch: Watch) -> Nearest | None:
    """The lists of vectors [N, W], from the cache or made now, and what they mean, said.

    None for fewer than LARGE vectors, and where faiss is not installed; the latter is said.
    ``key`` tells these vectors from all others.
    """
    if len(vectors) < LARGE:
        return None
    if find_spec("faiss") is None:
        what = f"all {len(vectors):,} vectors are compared with each question"
        watch.note(f"{what}; pip install 'bertft[index]' finds near ones in a fraction of the time")
        return None
    file = cache_folder() / f"{key}.vectors"
    found = _read(file, shape=vectors.shape)
    if found is None:
        watch.note(f"sorting {len(vectors):,} vectors into lists, once")
        found = make_lists(vectors)
        write_lists(file, found)
    nearest = Nearest(found)
    watch.note(
        f"{nearest.read:,} of {nearest.count:,} lists of vectors are read for a question: "
        "near ones in others are missed"
    )
    return nearest


def make_lists(vectors: FloatArray) -> Any:
    """4 sqrt(N) lists around the centres of a sample (k-means)."""
    import faiss

    width = vectors.shape[1]
    count = max(1, min(4 * round(len(vectors) ** 0.5), len(vectors) // SAMPLE))
    lists = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width),
        width,
        count,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    size = min(len(vectors), SAMPLE * count)
    chosen = np.random.default_rng(0).choice(len(vectors), size, replace=False)
    lists.train(np.ascontiguousarray(vectors[np.sort(chosen)]))
    lists.add(np.ascontiguousarray(vectors))
    return lists


def _read(file: Path, *, shape: tuple[int, ...]) -> Any | None:
    """What is kept; None where nothing is, or something damaged."""
    import faiss

    if not file.is_file():
        return None
    try:
        found = faiss.read_index(str(file))
        os.utime(file)  # used just now
    except (OSError, RuntimeError):
        return None
    return found if (found.ntotal, found.d) == shape else None


def write_lists(file: Path, lists: Any) -> None:
    """Keep the lists in a file, which appears whole or not at all. Raises RunError."""
    import faiss

    try:
        make_room(max(0, largest() - lists.ntotal * (lists.d + 8)))
        with whole_file(file) as out:
            writer = faiss.PyCallbackIOWriter(out.write)  # type: ignore[attr-defined, unused-ignore]
            faiss.write_index(lists, writer)
    except OSError as error:
        raise not_kept(file, error) from None
