"""Which texts of two collections say the same, also in two languages: unit vectors in, pairs out.

Margin-based (Artetxe and Schwenk 2019): the cosine of two, over the mean cosine of both to their
nearest texts on the other side. Whatever is near everything is so told from what fits.

Shape legend: N texts of the one side, M of the other, W width, k neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bertft.contracts import FloatArray
from bertft.inside.similarity import Nearest

NEIGHBOURS = 4
BLOCK = 1024
LEAST = 1e-6
"""Mean cosine, at the least: a margin over less says nothing."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Text ``first`` of the one side says what ``second`` of the other says."""

    first: int
    second: int
    margin: float
    similarity: float


def align(first: FloatArray, second: FloatArray, *, threshold: float) -> list[Aligned]:
    """Pairs whose margin is ``threshold`` or more, in the order of ``first``; each text once.

    The best neighbour of every text, both ways, is a candidate; those of the largest margin go
    first. Memory holds N x BLOCK products.
    """
    if not len(first) or not len(second):
        return []
    there, back = _nearest(first, second), _nearest(second, first)
    means = there.scores.mean(axis=1), back.scores.mean(axis=1)  # [N], [M]
    found: dict[tuple[int, int], Aligned] = {}
    for side, nearest in enumerate((there, back)):
        for place, (others, cosines) in enumerate(
            zip(nearest.indices.tolist(), nearest.scores.tolist(), strict=True)
        ):
            pairs = [(place, other) if side == 0 else (other, place) for other in others]
            candidates = [
                Aligned(a, b, cosine / max(LEAST, float(means[0][a] + means[1][b]) / 2), cosine)
                for (a, b), cosine in zip(pairs, cosines, strict=True)
            ]
            best = max(candidates, key=lambda one: one.margin)
            found[best.first, best.second] = best
    return _each_once(found.values(), threshold=threshold)


def _each_once(candidates: Iterable[Aligned], *, threshold: float) -> list[Aligned]:
    taken: list[Aligned] = []
    used: tuple[set[int], set[int]] = (set(), set())
    ordered = sorted(candidates, key=lambda one: (-one.margin, one.first, one.second))
    for one in ordered:
        if one.margin < threshold or one.first in used[0] or one.second in used[1]:
            continue
        taken.append(one)
        used[0].add(one.first)
        used[1].add(one.second)
    return sorted(taken, key=lambda one: one.first)


def _nearest(queries: FloatArray, others: FloatArray) -> Nearest:
    nearest = Nearest(queries, min(NEIGHBOURS, len(others)))
    for start in range(0, len(others), BLOCK):
        nearest.add(others[start : start + BLOCK])
    return nearest
