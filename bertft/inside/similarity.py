"""Cosine similarity, searched exactly and block by block: unit vectors in, best matches out.

Shape legend: N vectors, Q queries, W width, b rows of a block, k matches kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bertft.contracts import FloatArray

IndexArray = np.ndarray[Any, np.dtype[np.int64]]


def cosine(first: FloatArray, second: FloatArray) -> FloatArray:
    """Similarities [N] of vectors [N, W] of length 1, pair by pair."""
    return np.asarray((first * second).sum(axis=-1))


def best_columns(
    scores: FloatArray, indices: IndexArray, *, count: int
) -> tuple[FloatArray, IndexArray]:
    """The best ``count`` scores of each row, best first, and their indices; the earlier wins."""
    order = np.lexsort((indices, -scores), axis=-1)[:, :count]
    return np.take_along_axis(scores, order, axis=-1), np.take_along_axis(indices, order, axis=-1)


@dataclass(slots=True)
class Nearest:
    """The ``count`` nearest of a stream of vectors to each of Q queries."""

    queries: FloatArray
    count: int
    seen: int = 0
    scores: FloatArray = field(init=False)
    indices: IndexArray = field(init=False)

    def __post_init__(self) -> None:
        self.scores = np.empty((len(self.queries), 0), dtype=np.float32)  # [Q, k]
        self.indices = np.empty((len(self.queries), 0), dtype=np.int64)  # [Q, k]

    def add(self, block: FloatArray) -> None:
        """Compare with the next vectors [b, W]."""
        found = self.queries @ block.T  # [Q, b]
        numbers = np.broadcast_to(np.arange(self.seen, self.seen + len(block)), found.shape)
        self.seen += len(block)
        self.scores, self.indices = best_columns(
            np.concatenate([self.scores, found], axis=1),
            np.concatenate([self.indices, numbers], axis=1),
            count=self.count,
        )


@dataclass(frozen=True, slots=True)
class Match:
    """Vector ``index`` and those before it that are near: (index, similarity), best first.

    ``more`` counts the near ones that were left out.
    """

    index: int
    others: list[tuple[int, float]]
    more: int


def near_pairs(blocks: Sequence[FloatArray], *, threshold: float, most: int) -> Iterator[Match]:
    """Every vector that has an earlier one with a similarity of ``threshold`` or more, in order.

    Each is compared with all vectors before it, N (N - 1) / 2 products of width W; at most ``most``
    earlier ones are named. Memory holds the blocks [b, W] and one product [b, b].
    """
    starts = np.cumsum([0, *(len(block) for block in blocks)])
    for row, block in enumerate(blocks):
        near: dict[int, list[tuple[float, int]]] = {}
        counts: dict[int, int] = {}
        for column in range(row + 1):
            scores = block @ blocks[column].T  # [b, b]
            if column == row:
                scores[np.triu_indices(len(block))] = -np.inf
            _collect(
                scores, near, counts, first=int(starts[column]), threshold=threshold, most=most
            )
        for index in sorted(near):
            others = [(other, -negative) for negative, other in near[index]]
            yield Match(int(starts[row]) + index, others, counts[index] - len(others))


def _collect(
    scores: FloatArray,
    near: dict[int, list[tuple[float, int]]],
    counts: dict[int, int],
    *,
    first: int,
    threshold: float,
    most: int,
) -> None:
    """Add what is near in one product to the best so far, as (-similarity, index), sorted."""
    # The maxima first: nearly every row has none, and comparing all numbers takes far longer.
    for row in np.flatnonzero(scores.max(axis=1) >= threshold).tolist():
        columns: npt.NDArray[np.int64] = np.flatnonzero(scores[row] >= threshold)
        counts[row] = counts.get(row, 0) + len(columns)
        if len(columns) > most:
            best = np.argsort(-scores[row, columns], kind="stable")[:most]
            columns = columns[best]
        found = [(-float(scores[row, column]), first + column) for column in columns.tolist()]
        near[row] = sorted(near.get(row, []) + found)[:most]
