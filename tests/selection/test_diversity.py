"""Diversity: one vector of each cluster, copies and weights included."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bertft.selection.diversity import spread


def test_one_of_each_cluster_the_heaviest_first():
    random = np.random.default_rng(0)
    centres = np.eye(4, 8) * 10
    sizes = (20, 5, 12, 3)
    places = np.repeat(centres, sizes, axis=0)
    vectors = places + random.normal(size=places.shape)
    found = spread(vectors, np.ones(len(vectors)), count=4, seed=0)
    cluster = np.repeat(np.arange(4), sizes)
    assert [int(cluster[index]) for index in found] == [0, 2, 1, 3]


def test_centres_move_to_where_the_weights_are():
    vectors = np.array([[0.0], [1.0], [2.0], [3.0]])
    (typical,) = spread(vectors, np.ones(4), count=1, seed=0)
    (unsure,) = spread(vectors, np.array([0.1, 0.1, 0.1, 5.0]), count=1, seed=0)
    assert typical in (1, 2)
    assert unsure == 3


@given(st.integers(0, 30), st.integers(1, 12), st.integers(0, 3), st.integers(1, 5))
def test_it_is_a_choice_of_as_many_as_there_are(number, count, seed, kinds):
    random = np.random.default_rng(seed)
    vectors = random.integers(0, kinds, size=(number, 3)).astype(float)
    found = spread(vectors, random.random(number), count=count, seed=seed)
    assert len(set(found)) == len(found) <= min(count, number)
    assert all(0 <= index < number for index in found)
    if number:
        assert found
        distinct = len(np.unique(vectors, axis=0))
        assert len(found) >= min(count, distinct, number)
