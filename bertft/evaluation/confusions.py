"""Confusions of classes: counts by gold and predicted name go in; the most frequent confusions, and
an order in which classes that are confused stand beside each other, come out.

Shape legend: C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Counts = Mapping[str, Mapping[str, int]]
"""gold name -> predicted name -> how often, as in scores.json."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """One name predicted for another: how often, and which share of gold that is."""

    gold: str
    predicted: str
    count: int
    share: float


def confusions(counts: Counts) -> list[Confusion]:
    """All of them, the most frequent first."""
    found = [
        Confusion(gold, given, count, count / sum(row.values()))
        for gold, row in counts.items()
        for given, count in row.items()
        if gold != given and count
    ]
    return sorted(found, key=lambda one: (-one.count, one.gold, one.predicted))


def most_mistaken(counts: Counts, *, most: int) -> list[str]:
    """The names with the most confusions, as gold or predicted, in the order of ``counts``."""
    wrong = dict.fromkeys(counts, 0)
    for one in confusions(counts):
        wrong[one.gold] += one.count
        wrong[one.predicted] = wrong.get(one.predicted, 0) + one.count
    kept = set(sorted(wrong, key=lambda name: -wrong[name])[:most])
    return [name for name in counts if name in kept]


def clustered(counts: Counts, names: Sequence[str]) -> list[str]:
    """The names by hierarchical clustering: average linkage of 1 - the share of confusions between
    two classes, and of all orders of that tree the one whose neighbours are closest (Bar-Joseph,
    Gifford and Jaakkola 2001, Bioinformatics 17, 22-29)."""
    if len(names) < 3:
        return list(names)
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    cells = np.array([[counts[gold].get(given, 0) for given in names] for gold in names], float)
    shares = cells / np.maximum(1, cells.sum(axis=1, keepdims=True))  # [C, C]
    distance = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return [names[index] for index in leaves_list(tree)]
