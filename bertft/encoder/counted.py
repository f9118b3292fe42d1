"""Word embeddings from counts: token ids of texts go in, vectors [V, H] to start from come out.

Tokens that stand near the same tokens get similar vectors: positive pointwise mutual information of
a token and those around it, factorised (Levy & Goldberg 2014, Neural Word Embedding as Implicit
Matrix Factorization; Levy, Goldberg & Dagan 2015, Improving Distributional Similarity, sections 3.1
to 3.3, for smoothed contexts and the square root of the singular values). From random vectors a
small BERT finds out for thousands of steps what counting tells in seconds.

Shape legend: V vocabulary, H hidden width, N entries of a table.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from bertft.contracts import FloatArray

WINDOW = 20
"""Tokens on either side that count as near: wide windows tell topics, narrow ones grammar."""
SMOOTHING = 0.75
"""Exponent of context frequencies, which keeps rare contexts from looking too informative."""
OVERSAMPLING, ITERATIONS = 16, 3
"""Of the randomised factorisation (Halko, Martinsson & Tropp 2011, algorithm 4.4)."""

Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


@dataclass(frozen=True, slots=True)
class Table:
    """A sparse [V, V]: ascending keys (row x V + column) [N], and what stands there [N]."""

    keys: Ints
    values: FloatArray
    vocabulary: int

    @property
    def places(self) -> tuple[Ints, Ints]:
        """Rows and columns, [N] each."""
        rows, columns = np.divmod(self.keys, self.vocabulary)
        return rows, columns

    def plus(self, keys: Ints, values: FloatArray) -> Table:
        """The sum with what stands at ascending keys: no more memory than the two need."""
        both = np.concatenate([self.keys, keys])
        order = both.argsort(kind="stable")  # two runs that are merged
        both, found = both[order], np.concatenate([self.values, values])[order]
        first = np.flatnonzero(np.diff(both, prepend=-1))
        summed = np.add.reduceat(found, first) if len(first) else found
        return Table(both[first], summed, self.vocabulary)

    def for_products(self) -> torch.Tensor:
        """As a CSR tensor."""
        rows, columns = self.places
        ends = np.bincount(rows, minlength=self.vocabulary).cumsum()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                torch.from_numpy(np.concatenate([[0], ends])),
                torch.from_numpy(columns),
                torch.from_numpy(self.values.astype(np.float32)),
                (self.vocabulary, self.vocabulary),
                check_invariants=True,
            )


def counted_vectors(
    texts: Iterable[Sequence[int]], *, vocabulary: int, width: int, seed: int
) -> torch.Tensor | None:
    """float32 [V, H], each row of mean square 1 but that of tokens without neighbours, which is 0.

    Args:
        texts: token ids [L] of each text; nothing is near across texts.

    Returns:
        None where too few tokens stand near one another for ``width`` dimensions.
    """
    near = count_near(texts, vocabulary)
    seen = torch.from_numpy(np.unique(near.places[0]))
    if len(seen) <= width + OVERSAMPLING:
        return None
    told = positive_information(near).for_products()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, values, _ = torch.svd_lowrank(told, q=width + OVERSAMPLING, niter=ITERATIONS)
    vectors = (left[:, :width] * values[:width].sqrt())[seen]
    vectors = torch.nn.functional.normalize(vectors - vectors.mean(dim=0), dim=1)
    return torch.zeros(vocabulary, width).index_copy_(0, seen, vectors * width**0.5)


def count_near(texts: Iterable[Sequence[int]], vocabulary: int) -> Table:
    """How often two tokens stand near one another; symmetric."""
    gap = np.full(WINDOW, -1)
    parts = [part for one in texts for part in (np.asarray(one, dtype=np.int64), gap)]
    tokens = np.concatenate(parts) if parts else gap
    found = Table(np.zeros(0, dtype=np.int64), np.zeros(0), vocabulary)
    for distance in range(1, WINDOW + 1):
        first, second = tokens[:-distance], tokens[distance:]
        near = (first >= 0) & (second >= 0)
        found = found.plus(*_counted(first[near] * vocabulary + second[near]))
    rows, columns = found.places
    mirrored = columns * vocabulary + rows
    order = mirrored.argsort()
    return found.plus(mirrored[order], found.values[order])


def _counted(keys: Ints) -> tuple[Ints, FloatArray]:
    found, counts = np.unique(keys, return_counts=True)
    return found, counts.astype(np.float64)


def positive_information(near: Table) -> Table:
    """log p(token, context) / (p(token) p(context)), where that is above 0."""
    rows, columns = near.places
    totals = np.bincount(rows, weights=near.values, minlength=near.vocabulary)  # [V]
    contexts = totals**SMOOTHING
    told = np.log(near.values / totals[rows] / (contexts / contexts.sum())[columns])
    kept = told > 0
    return Table(near.keys[kept], told[kept], near.vocabulary)
