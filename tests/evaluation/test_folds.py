"""Folds and nested subsets: groups stay whole, labels keep their shares, seeds decide."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertft.evaluation.folds import nested_subset, numbered, stratified_folds

ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=5, max_size=120)
SHARES = st.floats(0.01, 1)


class TestFolds:
    @given(ROWS, st.integers(2, 5), st.integers(0, 3))
    def test_a_group_is_in_one_fold(self, rows, count, seed):
        strata, groups = zip(*rows, strict=True)
        folds = stratified_folds(strata, groups, count=count, seed=seed)
        assert len(folds) == len(rows)
        assert set(folds) <= set(range(count))
        found = {(group, int(fold)) for group, fold in zip(groups, folds, strict=True)}
        assert len(found) == len(set(groups))

    @given(st.lists(st.sampled_from("aab"), min_size=10, max_size=200), st.integers(2, 5))
    def test_labels_are_spread_evenly_where_rows_stand_alone(self, strata, count):
        folds = stratified_folds(strata, range(len(strata)), count=count, seed=0)
        for label in set(strata):
            own = [int(fold) for fold, one in zip(folds, strata, strict=True) if one == label]
            counts = np.bincount(own, minlength=count)
            assert counts.max() - counts.min() <= 1
        sizes = np.bincount(folds, minlength=count)
        assert sizes.max() - sizes.min() <= len(set(strata))

    def test_the_seed_decides(self):
        strata, groups = ["a", "b"] * 50, range(100)
        one, same, other = (
            stratified_folds(strata, groups, count=5, seed=seed).tolist() for seed in (1, 1, 2)
        )
        assert one == same != other


def drawn(strata, groups, *, share, seed):
    return nested_subset(numbered(strata), numbered(groups), share=share, seed=seed).tolist()


def plainly_drawn(strata, groups, *, share, seed):
    """The same one by one: groups in a random order of each stratum, strata in turns."""
    first, members = {}, {}
    for row, (stratum, group) in enumerate(zip(strata, groups, strict=True)):
        first.setdefault(group, stratum)
        members.setdefault(group, []).append(row)
    ranked = []
    for number, stratum in enumerate(dict.fromkeys(first.values())):
        own = [group for group, one in first.items() if one == stratum]
        own = [own[i] for i in np.random.default_rng([seed, number]).permutation(len(own))]
        size, done = sum(len(members[group]) for group in own), 0
        for group in own:
            done += len(members[group])
            ranked.append(((done - 0.5) / size, number, group))
    chosen = []
    for _, _, group in sorted(ranked):
        if len(chosen) < max(1, round(share * len(strata))):
            chosen += members[group]
    return sorted(chosen)


class TestSubsets:
    @given(ROWS, SHARES, st.integers(0, 3))
    def test_they_are_those_that_are_drawn_one_by_one(self, rows, share, seed):
        strata, groups = zip(*rows, strict=True)
        own = drawn(strata, groups, share=share, seed=seed)
        assert own == plainly_drawn(strata, groups, share=share, seed=seed)

    def test_what_is_named_is_numbered_and_none_is_never_the_same(self):
        assert numbered(["b", None, "a", None, "b"]).tolist() == [0, 1, 2, 3, 0]

    @given(ROWS, SHARES, SHARES, st.integers(0, 3))
    def test_a_smaller_share_is_part_of_a_larger_one(self, rows, one, other, seed):
        strata, groups = zip(*rows, strict=True)
        small, large = (
            set(drawn(strata, groups, share=share, seed=seed)) for share in sorted((one, other))
        )
        assert small <= large

    @given(ROWS, SHARES)
    def test_groups_stay_whole(self, rows, share):
        strata, groups = zip(*rows, strict=True)
        chosen = drawn(strata, groups, share=share, seed=0)
        held = {groups[row] for row in chosen}
        assert chosen == [row for row, group in enumerate(groups) if group in held]

    @given(st.lists(st.sampled_from("aaaab"), min_size=8, max_size=300), SHARES)
    def test_each_label_has_its_share(self, strata, share):
        chosen = drawn(strata, range(len(strata)), share=share, seed=0)
        assert len(chosen) == max(1, round(share * len(strata)))
        counts, found = Counter(strata), Counter(strata[row] for row in chosen)
        for label, count in counts.items():
            assert abs(found[label] - share * count) <= 1.5

    def test_all_is_all_and_seeds_differ(self):
        strata = ["a", "b"] * 50
        assert drawn(strata, range(100), share=1.0, seed=0) == list(range(100))
        one, other = (drawn(strata, range(100), share=0.5, seed=seed) for seed in (0, 1))
        assert one != other
