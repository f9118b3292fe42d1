"""Statistics over examples go in; confidence intervals and paired tests come out.

Examples are drawn with replacement and every metric is recomputed from the sums of the drawn rows
(Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Identical rows are
counted together first, so that a resample is one vector of weights over the distinct rows: results
depend on the rows and the seed, not on the order of the examples.

Shape legend: N examples, K values per example, U distinct rows, R resamples in a chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.evaluation.metrics import as_floats

if TYPE_CHECKING:
    from bertft.contracts import FloatArray
    from bertft.evaluation.statistic import Statistic

IndexArray = np.ndarray[Any, np.dtype[np.int64]]

WEIGHTS = 2**22
"""Most weights held at once (32 MiB): a chunk has as many resamples as fit, and at least one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Score of run b minus score of run a: its interval, and how easily chance explains it."""

    value: float
    low: float
    high: float
    p_value: float


def point_values(statistic: Statistic) -> dict[str, float]:
    """The scores of the data themselves, whatever the order of the examples."""
    totals = statistic.rows.sum(axis=0, dtype=np.float64)  # [K]
    return as_floats(statistic.metrics(totals))


def bootstrap(
    statistic: Statistic, *, replicates: int = 1000, confidence: float = 0.95, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile interval (low, high) of every metric.

    The limits are the quantiles of the resampled scores. A metric that is not smooth (macro F1 with
    classes of a few examples) can have a score near an end of its interval, or just outside it.
    """
    distinct, group = _collapse(statistic.rows)
    chunks = [
        statistic.metrics(weights @ distinct)
        for weights in _resamples(group, distinct=len(distinct), replicates=replicates, seed=seed)
    ]
    return {
        name: _limits(np.concatenate([chunk[name] for chunk in chunks]), name, confidence)
        for name in chunks[0]
    }


def paired_bootstrap(
    a: Statistic,
    b: Statistic,
    *,
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """What b gains over a (b - a) in every metric that both have, over the same resampled examples.

    Row i of both must be the same example (Koehn 2004, Statistical significance tests for machine
    translation evaluation, EMNLP). The interval is the percentile interval of the differences d*.
    The two-sided p-value is that of the shifted bootstrap, whose differences are centred on 0, as
    the null hypothesis has them: (1 + #{|d* - d| >= |d|}) / (1 + replicates) (Efron and Tibshirani
    1993, section 16.4; Berg-Kirkpatrick, Burkett and Klein 2012, EMNLP). It is the more cautious
    one where runs differ on few examples: five to none gives 0.04, where counting the d* beyond 0
    would give 0.013 and McNemar's exact test gives 0.0625.
    """
    if len(a.rows) != len(b.rows):
        raise ValueError(f"runs of {len(a.rows)} and {len(b.rows)} examples are not paired")
    (rows_a, group_a), (rows_b, group_b) = _collapse(a.rows), _collapse(b.rows)
    pairs, group = np.unique(group_a * len(rows_b) + group_b, return_inverse=True)
    rows_a, rows_b = rows_a[pairs // len(rows_b)], rows_b[pairs % len(rows_b)]  # [U, K]
    chunks = [
        _gains(a.metrics(weights @ rows_a), b.metrics(weights @ rows_b))
        for weights in _resamples(group, distinct=len(pairs), replicates=replicates, seed=seed)
    ]
    values_a, values_b = point_values(a), point_values(b)
    return {
        name: _difference(
            values_b[name] - values_a[name],
            np.concatenate([chunk[name] for chunk in chunks]),
            name=name,
            confidence=confidence,
        )
        for name in chunks[0]
    }


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided p-value that two runs are right equally often, from the examples they differ on.

    ``only_a`` examples only run a has right, ``only_b`` only run b. Under the null hypothesis each
    is a fair coin, so p = min(1, 2 P(X <= min(only_a, only_b))) with X ~ Binomial(only_a + only_b,
    1/2) (McNemar 1947, Psychometrika 12, 153-157; the exact form is the sign test).
    """
    fewer, size = min(only_a, only_b), only_a + only_b
    if fewer < 0:
        raise ValueError(f"counts are not negative: {only_a}, {only_b}")
    logarithm = lgamma(size + 1) - lgamma(fewer + 1) - lgamma(size - fewer + 1) - size * log(2)
    term = total = 1.0  # relative to P(X = fewer), which can be too small for a float
    for count in range(fewer, 0, -1):
        term *= count / (size - count + 1)
        total += term
        if term < 1e-17 * total:
            break
    return min(1.0, 2 * exp(logarithm + log(total)))


def _collapse(rows: FloatArray) -> tuple[FloatArray, IndexArray]:
    """The distinct rows [U, K] in a fixed order, and which of them each example has [N]."""
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"there are no rows to resample: shape {rows.shape}")
    rows = np.ascontiguousarray(rows)
    whole = np.dtype((np.void, rows.itemsize * rows.shape[1]))  # compares a row's bytes at once
    _, first, group = np.unique(rows.view(whole)[:, 0], return_index=True, return_inverse=True)
    return rows[first].astype(np.float64), group


def _resamples(
    group: IndexArray, *, distinct: int, replicates: int, seed: int
) -> Iterator[FloatArray]:
    """Weights [R, U]: how often each distinct row is drawn when N examples are, chunk by chunk."""
    if replicates < 1:
        raise ValueError(f"replicates must be at least 1, not {replicates}")
    generator = np.random.default_rng(seed)
    members = np.sort(group)  # the order of the examples must not matter
    size = len(members)
    most = max(1, WEIGHTS // distinct)
    for start in range(0, replicates, most):
        weights = np.empty((min(most, replicates - start), distinct))  # [R, U]
        for row in weights:
            drawn = members[generator.integers(size, size=size)]
            row[:] = np.bincount(drawn, minlength=distinct)
        yield weights


def _limits(values: FloatArray, name: str, confidence: float) -> tuple[float, float]:
    """Quantiles that leave out half of ``1 - confidence`` on each side."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is between 0 and 1, not {confidence}")
    if not np.isfinite(values).all():
        raise ValueError(f"metric '{name}' must be finite for every resample")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _gains(a: dict[str, FloatArray], b: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return {name: b[name] - a[name] for name in a if name in b}


def _difference(value: float, values: FloatArray, *, name: str, confidence: float) -> Difference:
    low, high = _limits(values, name, confidence)
    # Scores are multiples of 1 / N: without the margin, rounding would decide about ties.
    extreme = np.abs(values - value) >= abs(value) - 1e-9
    p_value = (1 + int(extreme.sum())) / (1 + len(values))
    return Difference(value=value, low=low, high=high, p_value=p_value)
