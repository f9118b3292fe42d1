"""Parts of training data: the fold that an example is held out in, and subsets that are nested.

In: what each example is (its stratum: a label) and what it belongs to (its group: a passage, a text
that stands twice). Out: fold numbers, or the positions of a subset. Pure functions of their seed.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from bertft.evaluation.metrics import IdArray


def stratified_folds(
    strata: Sequence[Hashable], groups: Sequence[Hashable], *, count: int, seed: int
) -> IdArray:
    """The fold [N] of each example: a group is in one fold, labels are spread over all of them.

    Greedy, as in scikit-learn's StratifiedGroupKFold: large groups first, each into the fold that
    has least of the group's labels so far, and of those into the smallest one.
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(strata))}
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    order = _shuffled(list(members), seed=seed)
    order.sort(key=lambda group: -len(members[group]))
    totals = np.bincount([names[one] for one in strata], minlength=len(names))
    held = np.zeros((count, len(names)))  # [K, S]
    sizes = np.zeros(count)
    folds = np.zeros(len(strata), dtype=np.int64)
    for group in order:
        own = np.bincount([names[strata[index]] for index in members[group]], minlength=len(names))
        crowded = held @ (own / totals)  # [K]
        fold = int(np.lexsort((sizes, crowded))[0])
        held[fold] += own
        sizes[fold] += len(members[group])
        folds[members[group]] = fold
    return folds


def nested_subset(strata: IdArray, groups: IdArray, *, share: float, seed: int) -> IdArray:
    """Positions of about ``share`` of the examples, in order, with each stratum's own share.

    ``strata`` and ``groups`` [N] are ``numbered``. With one seed a smaller share is part of each
    larger one. Groups stay whole: they are placed by the stratum of their first example. A subset
    has at least one example.
    """
    _, firsts, sizes = np.unique(groups, return_index=True, return_counts=True)  # [G]
    names = numbered(strata[firsts].tolist())
    by_stratum = np.split(np.argsort(names, kind="stable"), np.cumsum(np.bincount(names))[:-1])
    order, ends = [], []
    for number, own in enumerate(by_stratum):
        own = own[np.random.default_rng([seed, number]).permutation(len(own))]
        # Where in its stratum a group ends, a half row back: labels take turns at every share.
        done = np.cumsum(sizes[own])
        order.append(own)
        ends.append((done - 0.5) / done[-1])
    ranked = np.concatenate(order)
    ranked = ranked[np.lexsort((names[ranked], np.concatenate(ends)))]
    before = np.cumsum(sizes[ranked]) - sizes[ranked]
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[ranked[before < max(1, round(share * len(strata)))]] = True
    return np.flatnonzero(chosen[groups])


def numbered(names: Iterable[Hashable]) -> IdArray:
    """A number [N] for each name, in the order in which they come first; None is never the same."""
    known: dict[Hashable, int] = {}
    found, count = array("q"), 0
    for name in names:
        number = count if name is None else known.setdefault(name, count)
        count += number == count
        found.append(number)
    return np.frombuffer(found, dtype=np.int64)


def _shuffled(names: list[Hashable], *, seed: int) -> list[Hashable]:
    order = np.random.default_rng(seed).permutation(len(names))
    return [names[place] for place in order]
