"""Where a score is lower: what each example adds to it and the slices it is in go in; score,
interval and a test against the rest come out, slice by slice.

A score is sum(part) / sum(whole) over examples: accuracy where each whole is 1, micro F1 where part
is twice the right ones and whole the given and the gold ones. All of it follows from sums over the
examples of a slice, and those of the rest are the total minus these.

Shape legend: N examples, S slices, P memberships (an example in a slice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

LEAST = 30
"""Examples of a slice, and of its rest, that are looked at."""
LEVEL = 0.05
Z = 1.959963984540054
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measure:
    """What each example adds: ``part`` and ``whole`` [N]; an error is the better the ``lower``."""

    name: str
    part: FloatArray
    whole: FloatArray
    lower: bool = False

    @property
    def is_share(self) -> bool:
        """Whether the score is the share of examples that are right."""
        ones = bool((self.whole == 1).all())
        return ones and bool(((self.part == 0) | (self.part == 1)).all())


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to slice: ``names`` [S], and which examples [P] are in which slices [P].

    An example may be in several slices or none, but not twice in one.
    """

    kind: str
    names: Sequence[str]
    examples: npt.NDArray[np.integer]
    slices: npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Side:
    """The score of some examples, with its 95 % interval."""

    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice beside the rest: ``p`` that it is no worse, ``p_holm`` that of all slices looked at.

    ``worse``: p_holm is below LEVEL, and the intervals are apart.
    """

    kind: str
    name: str
    own: Side
    rest: Side
    p: float
    p_holm: float
    worse: bool


@dataclass(frozen=True, slots=True)
class Slices:
    """All that were looked at: those of one family of tests. ``silent`` examples add nothing to the
    score, as a text without any entity, and do not count."""

    score: str
    overall: Side
    silent: int
    found: Sequence[Slice]

    @property
    def worse(self) -> list[Slice]:
        return [one for one in self.found if one.worse]


def compared(measure: Measure, facets: Sequence[Facet], *, least: int = LEAST) -> Slices:
    """Every slice with ``least`` examples and as many in its rest, beside that rest."""
    total = _moments(measure, np.zeros(len(measure.part), np.int64), size=1)  # [1, 6]
    named: list[tuple[str, str]] = []
    rows: list[FloatArray] = [np.zeros((0, 6))]
    for facet in facets:
        sums = _moments(measure, facet.slices, size=len(facet.names), examples=facet.examples)
        large = (sums[:, 0] >= least) & (total[:, 0] - sums[:, 0] >= least)
        named += [(facet.kind, facet.names[index]) for index in np.flatnonzero(large).tolist()]
        rows.append(sums[large])
    own = np.concatenate(rows)  # [S, 6]
    rest = total - own
    share, sign = measure.is_share, -1 if measure.lower else 1
    p = _p_of_shares(own, total) if share else _p_of_ratios(own, rest, sign=sign)
    adjusted = holm(p)
    sides = zip(_sides(own, measure), _sides(rest, measure), strict=True)
    found = []
    for (kind, name), (one, other), chance, all_told in zip(named, sides, p, adjusted, strict=True):
        apart = one.low > other.high if measure.lower else one.high < other.low
        worse = bool(all_told < LEVEL and apart)
        found.append(Slice(kind, name, one, other, float(chance), float(all_told), worse))
    overall = _sides(total, measure)[0]
    return Slices(measure.name, overall, len(measure.part) - overall.n, found)


def holm(p: FloatArray) -> FloatArray:
    """p-values [S] adjusted for S tests (Holm 1979, A simple sequentially rejective multiple test
    procedure, Scandinavian Journal of Statistics 6, 65-70): the chance of any false alarm among all
    those below a level is at most that level, however the tests hang together."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    found = np.empty_like(p)
    found[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(p) else steps
    return found


def _moments(
    measure: Measure,
    slices: npt.NDArray[np.integer],
    *,
    size: int,
    examples: npt.NDArray[np.integer] | None = None,
) -> FloatArray:
    """[S, 6] over the examples of each slice that count (whole > 0): how many, and the sums of
    part, whole, part², part · whole and whole²."""
    a, b = measure.part, measure.whole  # [N]
    if examples is not None:
        a, b = a[examples], b[examples]  # [P]
    weights = ((b > 0).astype(np.float64), a, b, a * a, a * b, b * b)
    sums = [np.bincount(slices, weights=one, minlength=size) for one in weights]
    return np.stack(sums, axis=1)


def _ratio(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Score and its variance [S]: that of a ratio of means, linearised (Cochran 1977, Sampling
    techniques, 2.11)."""
    n, a, b, aa, ab, bb = sums.T
    whole = np.maximum(b, 1e-12)
    value = a / whole
    spread = np.maximum(0.0, aa - 2 * value * ab + value**2 * bb)
    return value, n / np.maximum(n - 1, 1) * spread / whole**2


def _sides(sums: FloatArray, measure: Measure) -> list[Side]:
    """With the interval of Wilson (1927) for shares, and for scores at 0 or 1, of which the
    variance tells nothing; with a normal one for the others. What is no error is at most 1."""
    n = np.maximum(sums[:, 0], 1)
    value, variance = _ratio(sums)
    half = Z * np.sqrt(variance)
    most = np.inf if measure.lower else 1.0
    low, high = np.maximum(0.0, value - half), np.minimum(most, value + half)
    wilson = measure.is_share | (variance <= 1e-15) & (value <= 1)
    middle = (value + Z * Z / (2 * n)) / (1 + Z * Z / n)
    inside = np.maximum(0.0, value * (1 - value) / n + Z * Z / (4 * n * n))
    width = Z * np.sqrt(inside) / (1 + Z * Z / n)
    low = np.where(wilson, np.maximum(0.0, middle - width), low)
    high = np.where(wilson, np.minimum(1.0, middle + width), high)
    columns = zip(sums[:, 0], value, low, high, strict=True)
    return [Side(int(size), float(v), float(lo), float(hi)) for size, v, lo, hi in columns]


def _p_of_shares(own: FloatArray, total: FloatArray) -> FloatArray:
    """[S] the exact chance of so many wrong ones in a slice or more (Fisher 1935, one-sided)."""
    from scipy.stats import hypergeom

    n, right = own[:, 0], own[:, 1]
    every, all_right = total[0, 0], total[0, 1]
    # Taken together these say: wrong ones in the slice, of all, those that are wrong, those in it.
    return np.asarray(hypergeom.sf(n - right - 1, every, every - all_right, n), dtype=np.float64)


def _p_of_ratios(own: FloatArray, rest: FloatArray, *, sign: int) -> FloatArray:
    """[S] of the difference from the rest, over its standard error, one-sided and normal."""
    from scipy.special import ndtr

    (value, variance), (other, other_variance) = _ratio(own), _ratio(rest)
    error = np.sqrt(variance + other_variance)
    apart = sign * (value - other)
    z = np.divide(apart, error, out=np.zeros_like(apart), where=error > 0)
    return np.asarray(ndtr(z), dtype=np.float64)
