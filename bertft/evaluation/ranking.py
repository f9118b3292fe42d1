"""Passages ranked for questions: vectors and gold in, ranks out; ranks in, recall, MRR, nDCG out.

recall@k is the share of a question's gold passages among its best k; MRR@10 the inverse rank of the
first gold one, 0 beyond 10 (Voorhees 1999, TREC-8); nDCG@10 sums 1 / log2(1 + rank) over gold ones
up to 10, in shares of the best possible sum (Järvelin and Kekäläinen 2002, ACM TOIS 20, 422).
Each is the mean over questions. Of equal similarities gold comes last: a model that gives all texts
one vector finds nothing.

Shape legend: N questions, P passages, W width of a vector, q questions of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import log2
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.evaluation.intervals import point_values
from bertft.evaluation.probabilities import log_softmax
from bertft.evaluation.statistic import Scores, Statistic

IndexArray = np.ndarray[Any, np.dtype[np.int64]]

DEPTHS = (1, 5, 20)
"""Of recall."""
DEPTH = 10
"""Of MRR and nDCG."""
NAMES = (f"ndcg@{DEPTH}", f"mrr@{DEPTH}", *(f"recall@{depth}" for depth in DEPTHS))
BLOCK = 2**22
"""Similarities that are held at once (16 MiB)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where the gold passages of a question are among all.

    ``ranks`` are theirs, from 1, ascending; ``first`` is the best passage, with its ``similarity``;
    ``log_p`` the log probability of the question's own gold passage, beside all that are no gold.
    """

    ranks: tuple[int, ...]
    first: int
    similarity: float
    log_p: float


def ranked(
    questions: FloatArray, passages: FloatArray, golds: Sequence[Sequence[int]], *, scale: float
) -> Iterator[Ranked]:
    """The place of each question's gold passages, by unit vectors [N, W] and [P, W].

    ``golds`` are the passages of each question, its own first; probabilities are the softmax of
    ``scale`` times the cosine.
    """
    size = max(1, BLOCK // max(1, len(passages)))
    for start in range(0, len(questions), size):
        block = questions[start : start + size] @ passages.T  # [q, P]
        for row, own in zip(block, golds[start : start + size], strict=True):
            yield _placed(row, np.asarray(own, dtype=np.int64), scale)


def _placed(row: FloatArray, gold: IndexArray, scale: float) -> Ranked:
    """Of similarities [P] of one question."""
    there = np.sort(row[gold])[::-1]
    # Those that are no gold and as similar come before; of gold ones each has a rank of its own.
    before = [int((row >= one).sum()) - int((there >= one).sum()) for one in there]
    ranks = tuple(others + place for place, others in enumerate(before, start=1))
    first = int(row.argmax())
    logits = scale * row.astype(np.float64)
    logits[gold[1:]] = -np.inf
    return Ranked(ranks, first, float(row[first]), float(log_softmax(logits)[gold[0]]))


def ranking_scores(ranks: Sequence[Sequence[int]], sizes: Sequence[int]) -> Scores:
    """Scores of questions by the ``ranks`` of their gold passages among so many (``sizes``).

    The baseline is the mean of all orders of the passages.
    """
    rows = np.array([[*_scores_of(one), 1.0] for one in ranks], dtype=np.float64)  # [N, 6]
    chance = [_by_chance(len(one), size) for one, size in zip(ranks, sizes, strict=True)]
    statistic = Statistic(rows, _means)
    baseline = dict(zip(NAMES, np.mean(chance, axis=0).tolist(), strict=True))
    return Scores(partial(point_values, statistic), statistic, baseline=baseline)


def _means(totals: FloatArray) -> dict[str, FloatArray]:
    count = np.maximum(totals[..., -1], 1)
    return {name: totals[..., column] / count for column, name in enumerate(NAMES)}


def _scores_of(ranks: Sequence[int]) -> list[float]:
    """What one question adds to each of NAMES."""
    recalls = [sum(rank <= depth for rank in ranks) / len(ranks) for depth in DEPTHS]
    inverse = 1 / min(ranks) if min(ranks) <= DEPTH else 0.0
    gain = sum(1 / log2(1 + rank) for rank in ranks if rank <= DEPTH)
    return [gain / _ideal(len(ranks)), inverse, *recalls]


def _ideal(golds: int) -> float:
    return sum(1 / log2(1 + rank) for rank in range(1, min(golds, DEPTH) + 1))


@cache
def _by_chance(golds: int, size: int) -> tuple[float, ...]:
    """The expected scores of a random order of ``size`` passages."""
    recalls = [min(depth, size) / size for depth in DEPTHS]
    inverse, none_before = 0.0, 1.0
    for rank in range(1, min(DEPTH, size) + 1):
        here = min(1.0, golds / (size - rank + 1))  # where no gold one came before
        inverse += none_before * here / rank
        none_before *= 1 - here
    gain = sum(golds / size / log2(1 + rank) for rank in range(1, min(DEPTH, size) + 1))
    return (gain / _ideal(golds), inverse, *recalls)


def best(scores: FloatArray, *, count: int) -> IndexArray:
    """Indices [k] of the best ``count`` of scores [P], best first; the earlier wins."""
    near = np.arange(len(scores))
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        near = np.flatnonzero(scores >= least)
    return near[np.lexsort((near, -scores[near]))[:count]]
