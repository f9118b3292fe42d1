"""Scores as data: values, and the counts per example that let every one of them be resampled."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bertft.arrays import FloatArray

LOWER = frozenset({"mlm_loss", "perplexity", "rmse"})
"""Scores of which the lower is the better; of all others the higher is."""


def is_better(metric: str, value: float, *, than: float) -> bool:
    """Whether one value of a score is better than another."""
    return value < than if metric in LOWER else value > than


@dataclass(frozen=True, slots=True)
class Statistic:
    """Scores as a function of per-example counts, so that every metric can be resampled.

    ``rows`` [N, K] holds what each example adds; ``metrics`` maps totals [..., K] (sums over
    examples, possibly with bootstrap weights) to named values [...].
    """

    rows: FloatArray
    metrics: Callable[[FloatArray], dict[str, FloatArray]]


def by_group(statistic: Statistic, groups: Sequence[str]) -> Statistic:
    """The same scores with groups [N] as what is drawn: the rows of one group are added up."""
    places: dict[str, int] = {}
    index = [places.setdefault(one, len(places)) for one in groups]
    rows = np.zeros((len(places), statistic.rows.shape[1]))  # [G, K]
    np.add.at(rows, index, statistic.rows)
    return Statistic(rows, statistic.metrics)


@dataclass(frozen=True)
class Scores:
    """Results over one data set; ``statistic`` allows intervals, ``tables`` go by class.

    ``compute`` gives the values when they are first asked for: the library ``evaluate``, which may
    be behind it, takes seconds to import, and who compares runs needs ``statistic`` alone.
    """

    compute: Callable[[], dict[str, float]]
    statistic: Statistic
    tables: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    baseline: dict[str, float] = field(default_factory=dict)

    @cached_property
    def values(self) -> dict[str, float]:
        """Each score by its name."""
        return self.compute()


def floor_of(metric: str, baseline: Mapping[str, float]) -> float:
    """The baseline of a score; without one, what nothing right gives."""
    return baseline.get(metric, math.inf if metric in LOWER else 0.0)


def seed_summary(
    metric: str, values: Sequence[float], *, floors: Sequence[float]
) -> dict[str, float]:
    """``mean`` and ``deviation`` of a score over runs with several seeds.

    ``collapsed`` counts runs that are no better than their floor, the majority baseline.
    """
    pairs = zip(values, floors, strict=True)
    return {
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
        "collapsed": float(sum(not is_better(metric, one, than=low) for one, low in pairs)),
    }
