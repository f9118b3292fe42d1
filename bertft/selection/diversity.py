"""Texts that differ: unit vectors with weights in, one of each cluster out.

Weighted k-means, and of each cluster the vector nearest to its centre (Zhdanov 2019, Diverse
mini-batch active learning): with uncertainty as weights, centres move to where a model is unsure;
with equal ones, they are what is typical.

Shape legend: N vectors, W width, K clusters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bertft.contracts import FloatArray

Numbers = npt.NDArray[np.intp]

ROUNDS = 25
"""Of k-means, at most; it hardly changes after ten."""


def spread(vectors: FloatArray, weights: FloatArray, *, count: int, seed: int) -> list[int]:
    """Indices of ``count`` vectors [N, W], one of each cluster, those of the heaviest first."""
    if count >= len(vectors):
        return [int(index) for index in np.argsort(-weights, kind="stable")]
    weights = np.maximum(weights, 1e-6)
    centres = _first_centres(vectors, weights, count=count, seed=seed)  # [K, W]
    nearest = _nearest(vectors, centres)  # [N]
    for _ in range(ROUNDS):
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, vectors * weights[:, None])
        held = np.bincount(nearest, weights=weights, minlength=count)  # [K]
        centres = np.where(held[:, None] > 0, sums / np.maximum(held, 1e-12)[:, None], centres)
        moved, nearest = nearest, _nearest(vectors, centres)
        if (moved == nearest).all():
            break
    return _one_of_each(vectors, weights, centres, nearest)


def _first_centres(
    vectors: FloatArray, weights: FloatArray, *, count: int, seed: int
) -> FloatArray:
    """Vectors far from each other, by chance: k-means++ (Arthur and Vassilvitskii 2007), greedy.

    Of several that are drawn each time, the one that leaves the others least far is taken.
    """
    random = np.random.default_rng(seed)
    chosen = [int(random.choice(len(vectors), p=weights / weights.sum()))]
    away = _away(vectors, vectors[chosen[:1]])[:, 0]  # [N]
    tries = 2 + int(np.log(count))
    while len(chosen) < count:
        chance = away * weights
        chance[chosen] = 0
        if not chance.sum():  # all others are copies of these
            chance = np.isin(np.arange(len(vectors)), chosen, invert=True).astype(float)
        drawn = random.choice(len(vectors), size=tries, p=chance / chance.sum())
        left = np.minimum(away[:, None], _away(vectors, vectors[drawn]))  # [N, tries]
        best = int((left * weights[:, None]).sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        away = left[:, best]
    return vectors[chosen]


def _nearest(vectors: FloatArray, centres: FloatArray) -> Numbers:
    """[N] the centre that is nearest to each vector."""
    return np.asarray(_away(vectors, centres).argmin(axis=1))


def _away(vectors: FloatArray, others: FloatArray) -> FloatArray:
    """[N, K] squared distances."""
    products = vectors @ others.T
    squares = (vectors**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * products, 0))


def _one_of_each(
    vectors: FloatArray, weights: FloatArray, centres: FloatArray, nearest: Numbers
) -> list[int]:
    """The vector nearest to each centre that has any; the heaviest cluster first."""
    away = ((vectors - centres[nearest]) ** 2).sum(axis=1)
    found = []
    for number in range(len(centres)):
        members = np.flatnonzero(nearest == number)
        if len(members):
            first = int(members[np.argmin(away[members])])
            found.append((-float(weights[members].sum()), first))
    return [index for _, index in sorted(found)]
