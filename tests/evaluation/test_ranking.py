"""Ranks and their scores: by hand, beside scikit-learn, and against every order of few passages."""

from __future__ import annotations

from itertools import permutations
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from bertft.evaluation import ranking
from bertft.evaluation.intervals import bootstrap
from bertft.evaluation.ranking import ranked, ranking_scores

EYE = np.eye(4, dtype=np.float32)


def scores_of(*ranks: tuple[int, ...], size: int = 100) -> dict[str, float]:
    return ranking_scores(ranks, [size] * len(ranks)).values


class TestScores:
    def test_by_hand(self):
        """Found first, third, eleventh and at 21."""
        found = scores_of((1,), (3,), (11,), (21,))
        assert found == {
            "ndcg@10": pytest.approx((1 + 1 / 2) / 4),
            "mrr@10": pytest.approx((1 + 1 / 3) / 4),
            "recall@1": 0.25,
            "recall@5": 0.5,
            "recall@20": 0.75,
        }

    def test_several_passages_answer(self):
        found = scores_of((2, 4, 30))
        ideal = 1 + 1 / log2(3) + 1 / 2
        assert found["ndcg@10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)
        assert found["mrr@10"] == 0.5
        assert (found["recall@1"], found["recall@5"]) == (0.0, pytest.approx(2 / 3))

    def test_perfect_and_nothing(self):
        assert set(scores_of((1,), (1, 2)).values()) == {1.0, 0.75}  # half of two at depth 1
        assert set(scores_of((50,)).values()) == {0.0}

    def test_intervals_are_those_of_questions(self):
        scores = ranking_scores([(1,)] * 50 + [(7,)] * 50, [10] * 100)
        low, high = bootstrap(scores.statistic)["recall@1"]
        assert low == pytest.approx(0.4, abs=0.04)
        assert high == pytest.approx(0.6, abs=0.04)

    @pytest.mark.parametrize(("golds", "size"), [(1, 6), (2, 6), (3, 5), (2, 2)])
    def test_the_baseline_is_the_mean_of_all_orders(self, golds, size):
        orders = set(permutations([True] * golds + [False] * (size - golds)))
        ranks = [tuple(i for i, gold in enumerate(one, start=1) if gold) for one in orders]
        scores = ranking_scores(ranks, [size] * len(ranks))
        assert scores.baseline == pytest.approx(scores.values)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 40), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_ndcg_is_that_of_scikit_learn(size: int, golds: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    golds = min(golds, size)
    row = random.permutation(size) / size  # no ties
    relevant = random.permutation(size)[:golds]
    truth = np.isin(np.arange(size), relevant).astype(float)
    order = np.argsort(-row)
    ranks = tuple(int(i) for i in np.flatnonzero(truth[order]) + 1)
    expected = ndcg_score(truth[None], row[None], k=10)
    assert scores_of(ranks, size=size)["ndcg@10"] == pytest.approx(expected)


class TestRanked:
    def test_places(self):
        """The first passage is nearest; the gold one second."""
        question = np.array([[0.8, 0.6, 0.0, 0.0]], dtype=np.float32)
        (found,) = ranked(question, EYE, [[1]], scale=2.0)
        assert (found.ranks, found.first) == ((2,), 0)
        assert found.similarity == pytest.approx(0.8)
        expected = 2 * 0.6 - np.log(np.exp([1.6, 1.2, 0, 0]).sum())
        assert found.log_p == pytest.approx(expected)

    def test_equal_vectors_put_gold_last(self):
        same = np.ones((3, 4), dtype=np.float32) / 2
        assert [one.ranks for one in ranked(same, same, [[0], [1], [2]], scale=1)] == [(3,)] * 3
        (both,) = ranked(same[:1], same, [[0, 2]], scale=1)
        assert both.ranks == (2, 3)

    def test_other_passages_that_answer_do_not_count_against_the_own(self):
        question = np.array([[0.8, 0.6, 0.0, 0.0]], dtype=np.float32)
        (found,) = ranked(question, EYE, [[1, 0]], scale=1.0)
        assert found.ranks == (1, 2)
        assert found.log_p == pytest.approx(0.6 - np.log(np.exp(0.6) + 2), abs=1e-6)

    def test_blocks_change_nothing(self, monkeypatch):
        random = np.random.default_rng(0)
        questions, passages = random.normal(size=(9, 5)), random.normal(size=(7, 5))
        golds = [[i % 7] for i in range(9)]
        whole = list(ranked(questions, passages, golds, scale=20.0))
        monkeypatch.setattr(ranking, "BLOCK", 15)
        parts = list(ranked(questions, passages, golds, scale=20.0))
        assert [one.ranks for one in parts] == [one.ranks for one in whole]
        assert [one.log_p for one in parts] == pytest.approx([one.log_p for one in whole])
