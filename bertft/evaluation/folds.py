"""Parts of training data: the fold that an example is held out in, and subsets that are nested.

In: what each example is (its stratum: a label) and what it belongs to (its group: a passage, a text
that stands twice). Out: fold numbers, or the positions of a subset. Pure functions of their seed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

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


def nested_subset(
    strata: Sequence[Hashable], groups: Sequence[Hashable], *, share: float, seed: int
) -> list[int]:
    """Positions of about ``share`` of the examples, in order, with each stratum's own share.

    With one seed a smaller share is part of each larger one. Groups stay whole: they are placed by
    the stratum of their first example. A subset has at least one example.
    """
    by_stratum: dict[Hashable, dict[Hashable, list[int]]] = {}
    first: dict[Hashable, Hashable] = {}
    for index, (stratum, group) in enumerate(zip(strata, groups, strict=True)):
        own = by_stratum.setdefault(first.setdefault(group, stratum), {})
        own.setdefault(group, []).append(index)
    ranked: list[tuple[float, int, list[int]]] = []
    for number, (stratum, found) in enumerate(by_stratum.items()):
        order = _shuffled(list(found), seed=[seed, number])
        size = sum(map(len, found.values()))
        # Where in its stratum a group ends, a half row back: labels take turns at every share.
        done = 0
        for group in order:
            done += len(found[group])
            ranked.append(((done - 0.5) / size, number, by_stratum[stratum][group]))
    ranked.sort(key=lambda one: one[:2])
    wanted = max(1, round(share * len(strata)))
    chosen: list[int] = []
    for _, _, rows in ranked:
        if len(chosen) >= wanted:
            break
        chosen += rows
    return sorted(chosen)


def _shuffled(names: list[Hashable], *, seed: int | list[int]) -> list[Hashable]:
    order = np.random.default_rng(seed).permutation(len(names))
    return [names[place] for place in order]
