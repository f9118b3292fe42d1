"""Word embeddings from counts: token ids of texts go in, vectors [V, H] to start from come out.

Tokens that stand near the same tokens get similar vectors: positive pointwise mutual information of
a token and those around it, factorised (Levy & Goldberg 2014, Neural Word Embedding as Implicit
Matrix Factorization; Levy, Goldberg & Dagan 2015, Improving Distributional Similarity, sections 3.1
to 3.3, for smoothed contexts and the square root of the singular values). From random vectors a
small BERT finds out for thousands of steps what counting tells in seconds.

Shape legend: V vocabulary, H hidden width, N pairs of tokens that stand near one another.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import torch

WINDOW = 20
"""Tokens on either side that count as near: wide windows tell topics, narrow ones grammar."""
SMOOTHING = 0.75
"""Exponent of context frequencies, which keeps rare contexts from looking too informative."""
OVERSAMPLING, ITERATIONS = 16, 3
"""Of the randomised factorisation (Halko, Martinsson & Tropp 2011, algorithm 4.4)."""

Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


def counted_vectors(
    texts: Iterable[Ints], *, vocabulary: int, width: int, seed: int
) -> torch.Tensor | None:
    """float32 [V, H], each row of mean square 1 but that of tokens without neighbours, which is 0.

    Args:
        texts: token ids [L] of each text; nothing is near across texts.

    Returns:
        None where too few tokens stand near one another for ``width`` dimensions.
    """
    near = _near(texts, vocabulary)
    seen = near.indices()[0].unique()  # type: ignore[no-untyped-call]
    if len(seen) <= width + OVERSAMPLING:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        told = _rows_first(_positive_information(near))
        left, values, _ = torch.svd_lowrank(told, q=width + OVERSAMPLING, niter=ITERATIONS)
    vectors = (left[:, :width] * values[:width].sqrt())[seen]
    vectors = torch.nn.functional.normalize(vectors - vectors.mean(dim=0), dim=1)
    return torch.zeros(vocabulary, width).index_copy_(0, seen, vectors * width**0.5)


def _near(texts: Iterable[Ints], vocabulary: int) -> torch.Tensor:
    """Sparse symmetric [V, V]: how often two tokens stand near one another."""
    gap = np.full(WINDOW, -1)
    parts = [part for one in texts for part in (one, gap)]
    tokens = np.concatenate(parts) if parts else gap
    found = []
    for distance in range(1, WINDOW + 1):
        first, second = tokens[:-distance], tokens[distance:]
        near = (first >= 0) & (second >= 0)
        found.append(np.unique(first[near] * vocabulary + second[near], return_counts=True))
    keys = torch.from_numpy(np.concatenate([key for key, _ in found]))
    counts = torch.from_numpy(np.concatenate([count for _, count in found])).float()
    rows, columns = keys // vocabulary, keys % vocabulary
    places = torch.stack([torch.cat([rows, columns]), torch.cat([columns, rows])])
    return _sparse(places, torch.cat([counts, counts]), vocabulary)


def _positive_information(near: torch.Tensor) -> torch.Tensor:
    """Sparse [V, V]: log p(token, context) / (p(token) p(context)), where that is above 0."""
    (rows, columns), counts = near.indices(), near.values()
    totals = torch.zeros(len(near)).index_add_(0, rows, counts)  # [V]
    contexts = totals**SMOOTHING
    told = (counts / totals[rows] / (contexts / contexts.sum())[columns]).log()
    kept = told > 0
    return _sparse(torch.stack([rows[kept], columns[kept]]), told[kept], len(near))


def _sparse(places: torch.Tensor, values: torch.Tensor, size: int) -> torch.Tensor:
    shape = (size, size)
    return torch.sparse_coo_tensor(places, values, shape, check_invariants=True).coalesce()


def _rows_first(table: torch.Tensor) -> torch.Tensor:
    """The same in CSR, whose products are several times as fast."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return table.to_sparse_csr()
