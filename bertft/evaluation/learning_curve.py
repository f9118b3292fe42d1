"""How a score grows with the training data: runs of several sizes and seeds in, a forecast out.

The error falls as a power law of the number of examples, down to what no number of them mends:
error(n) = a + b n^-c with a, b >= 0 (Hestness et al. 2017, "Deep Learning Scaling is Predictable,
Empirically"; of the forms that Viering & Loog 2021, "The Shape of Learning Curves", compare, one of
those that extrapolate best). For each exponent on a grid a and b are a weighted least-squares fit
with bounds, so that there is nothing to start from and nothing to converge.

Intervals are bootstrapped: test examples and seeds are drawn anew, and the law is fitted to each
draw; in every second one without the smallest size, because a law that depends on it is not one to
rely on. A law that misses its points widens them (Birge's ratio).

Shape legend: R resamples, S sizes, K seeds, M sizes that are asked for, E exponents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bertft.arrays import FloatArray
from bertft.evaluation.statistic import LOWER, Statistic

EXPONENTS = np.linspace(0.05, 1.0, 191)
"""Found in practice are 0.07 to 0.5; 1 is the rate of a model that needs only its parameters."""
REPLICATES = 1000
LEAST = 1e-6
"""A standard error below it, of points that agree by chance, would count for everything."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """error(n) = a + b (n / scale)^-c; of several fits, each an array [R]."""

    a: FloatArray
    b: FloatArray
    c: FloatArray
    scale: float

    def __call__(self, sizes: FloatArray) -> FloatArray:
        """[..., M] the errors at sizes [M]."""
        ratio = np.asarray(sizes, dtype=np.float64) / self.scale
        found: FloatArray = self.a[..., None] + self.b[..., None] * ratio ** -self.c[..., None]
        return found


def fit_power_law(sizes: FloatArray, errors: FloatArray, weights: FloatArray) -> PowerLaw:
    """The laws of errors [..., S] at sizes [S], weighted by ``weights`` [S]."""
    sizes, errors, w = (np.asarray(one, dtype=np.float64) for one in (sizes, errors, weights))
    x = (sizes / sizes.max()) ** -EXPONENTS[:, None]  # [E, S]
    total, along, square = w.sum(), x @ w, (x * x) @ w
    height = (errors @ w)[..., None]  # [..., 1]
    cross = (errors * w) @ x.T  # [..., E]
    b = (total * cross - along * height) / (total * square - along**2)
    a = (height - b * along) / total
    # At most one bound is met: errors are not negative.
    b = np.where(a < 0, cross / square, b)
    a, b = np.where(b < 0, height / total, np.maximum(a, 0)), np.maximum(b, 0)
    missed = errors[..., None, :] - a[..., None] - b[..., None] * x  # [..., E, S]
    best = np.argmin((missed**2) @ w, axis=-1)[..., None]
    a, b = (np.take_along_axis(one, best, axis=-1)[..., 0] for one in (a, b))
    return PowerLaw(a, b, EXPONENTS[best[..., 0]], float(sizes.max()))


@dataclass(frozen=True, slots=True)
class Forecast:
    """Scores [M] of one run at ``sizes`` with their 95 % intervals, and what the law is.

    ``gain`` is what twice the largest size adds to the mean score, with its interval; ``misfit`` by
    how many standard errors the law misses its points.
    """

    sizes: list[float]
    value: list[float]
    low: list[float]
    high: list[float]
    gain: tuple[float, float, float]
    law: tuple[float, float, float]
    misfit: float


def to_error(metric: str, values: FloatArray | float) -> FloatArray:
    """What falls as examples are added: the score itself where lower is better, else 1 - score."""
    return np.asarray(values if metric in LOWER else 1 - np.asarray(values), dtype=np.float64)


def resampled(statistic: Statistic, metric: str, *, seed: int = 0) -> FloatArray:
    """[R] a score over examples drawn anew; runs on the same examples get the same draws."""
    rows = statistic.rows.astype(np.float64)
    generator, count = np.random.default_rng(seed), len(rows)
    parts = []
    for start in range(0, REPLICATES, 100):
        some = min(100, REPLICATES - start)
        weights = generator.multinomial(count, np.full(count, 1 / count), size=some)  # [R, N]
        totals: FloatArray = weights.astype(np.float64) @ rows  # [R, ...]
        parts.append(statistic.metrics(totals)[metric])
    return np.concatenate(parts)


def forecast(
    sizes: Sequence[float],
    scores: FloatArray,
    draws: FloatArray,
    *,
    metric: str,
    at: Sequence[float],
    seed: int = 0,
) -> Forecast:
    """What runs of other sizes will score.

    ``scores`` [S, K] are those of the runs, ``draws`` [R, S, K] over examples drawn anew; ``sizes``
    ascend, and are a run's number of training examples.
    """
    known, asked = np.asarray(sizes, dtype=np.float64), np.asarray(at, dtype=np.float64)
    errors, all_draws = to_error(metric, scores), to_error(metric, draws)
    generator = np.random.default_rng(seed)
    means, noise = _seeds_drawn(all_draws, generator)  # [R, S], [R]
    spread = (means - means.mean(axis=1, keepdims=True)).std(axis=0)  # [S]
    spread = np.maximum(spread, max(LEAST, float(spread.mean()) / 4))
    weights = 1 / spread**2
    law = fit_power_law(known, errors.mean(axis=1), weights)
    missed = (errors.mean(axis=1) - law(known)) / spread
    misfit = math.sqrt(float((missed**2).sum()) / max(1, len(known) - 3))
    runs, gains = _bootstrapped(known, means, weights, asked)
    centre, gain = law(asked), float(law(known[-1:])[0] - law(2 * known[-1:])[0])
    wider = max(1.0, misfit)
    most = np.inf if metric in LOWER else max(1.0, float(errors.max()))
    runs = np.clip(centre + wider * (runs - centre) + noise[:, None], 0, most)
    gains = np.maximum(gain + wider * (gains - gain), 0)
    low, high = np.quantile(runs, [0.025, 0.975], axis=0)
    sides = [_to_score(metric, one) for one in (centre, low, high)]
    value, *limits = sides
    lower, upper = limits if metric in LOWER else limits[::-1]
    less, more = np.quantile(gains, [0.025, 0.975])
    return Forecast(
        asked.tolist(),
        value.tolist(),
        lower.tolist(),
        upper.tolist(),
        (gain, float(less), float(more)),
        (float(law.a), float(law.b), float(law.c)),
        misfit,
    )


def _seeds_drawn(
    draws: FloatArray, generator: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """[R, S] means over seeds drawn anew, and [R] by how much one more run differs from its mean.

    Deviations are widened by sqrt(K / (K - 1)), for few seeds vary less than their source does.
    """
    replicates, sizes, seeds = draws.shape
    means = draws.mean(axis=2)
    if seeds == 1:
        return means, np.zeros(replicates)
    wider = math.sqrt(seeds / (seeds - 1))
    rows = np.arange(replicates)
    chosen = generator.integers(seeds, size=(replicates, seeds))  # [R, K]
    moved = np.stack([draws[rows, :, column] for column in chosen.T], axis=2).mean(axis=2)
    # Of the two largest sizes: what a run of yet another size will differ by is most like theirs.
    size = generator.integers(max(0, sizes - 2), sizes, size=replicates)
    one = draws[rows, size, generator.integers(seeds, size=replicates)]
    return means + wider * (moved - means), wider * (one - means[rows, size])


def _bootstrapped(
    sizes: FloatArray, means: FloatArray, weights: FloatArray, asked: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """[R, M] errors at the sizes that are asked for, and [R] what twice the largest takes off."""
    runs, gains = np.empty((len(means), len(asked))), np.empty(len(means))
    last = sizes[-1:]
    for first, rows in ((0, slice(0, None, 2)), (int(len(sizes) > 3), slice(1, None, 2))):
        law = fit_power_law(sizes[first:], means[rows, first:], weights[first:])
        runs[rows] = law(asked)
        gains[rows] = (law(last) - law(2 * last))[:, 0]
    return runs, gains


def _to_score(metric: str, errors: FloatArray) -> FloatArray:
    return errors if metric in LOWER else 1 - errors


def class_gains(
    sizes: Sequence[float], scores: Mapping[str, Sequence[float]]
) -> list[tuple[str, float, float]]:
    """(class, its score at the largest size, what twice as many examples add), most gain first.

    ``scores`` are the F1 of each class at each size, means over seeds; there is no interval.
    """
    known = np.asarray(sizes, dtype=np.float64)
    weights = known / known.max()  # a class has fewest examples in the smallest subsets
    last = known[-1:]
    found = []
    for name, values in scores.items():
        law = fit_power_law(known, 1 - np.asarray(values, dtype=np.float64), weights)
        found.append((name, float(values[-1]), float(law(last)[0] - law(2 * last)[0])))
    return sorted(found, key=lambda one: -one[2])
