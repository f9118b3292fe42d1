"""Answering only what is certain enough: confidences with what was right go in; risk-coverage
curves, the area under them and thresholds for an accuracy come out.

Coverage is the share of predictions that are given, risk the share of wrong ones among them
(El-Yaniv and Wiener 2010, On the foundations of noise-free selective classification, JMLR 11).

Shape legend: M predictions, K distinct confidences.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bertft.evaluation.calibration import columns

if TYPE_CHECKING:
    from bertft.contracts import FloatArray


@dataclass(frozen=True, slots=True)
class Share:
    """``right`` of ``count``, with a 95 % interval."""

    right: int
    count: int

    @property
    def value(self) -> float:
        return self.right / max(1, self.count)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson (1927, Journal of the American Statistical Association 22, 209-212)."""
        if not self.count:
            return 0.0, 1.0
        n, z = self.count, 1.959963984540054
        middle = (self.value + z * z / (2 * n)) / (1 + z * z / n)
        half = z * sqrt(self.value * (1 - self.value) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold of confidence, and what reaches it: ``given.right`` of ``given.count``."""

    threshold: float
    given: Share
    total: int


def risk_coverage(
    confidence: npt.ArrayLike, correct: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(coverage [K], risk [K]) when all predictions from each confidence on are given."""
    p, right = _sorted(confidence, correct)
    ends = _ends(p)
    return (ends + 1) / max(1, len(p)), 1 - right.cumsum()[ends] / (ends + 1)


def area(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """AURC: mean over m = 1 ... M of the risk of the m most certain predictions (Geifman, Uziel
    and El-Yaniv 2019, Bias-reduced uncertainty estimation for deep neural classifiers, ICLR).

    Equal confidences are taken in the mean of all their orders. 0 without predictions.
    """
    p, right = _sorted(confidence, correct)
    if not len(p):
        return 0.0
    ends = _ends(p)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    wrong = np.concatenate([[0.0], (1 - right).cumsum()])
    before, own = wrong[starts], wrong[ends + 1] - wrong[starts]  # [K]
    group = np.repeat(np.arange(len(ends)), sizes)  # [M]
    place = np.arange(1, len(p) + 1)
    errors = before[group] + own[group] * (place - starts[group]) / sizes[group]
    return float((errors / place).mean())


def threshold_for(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, accuracy: float
) -> Choice | None:
    """The threshold that gives most predictions with at least ``accuracy`` of them right.

    It lies halfway to the next lower confidence. None where no threshold reaches it.
    """
    p, right = _sorted(confidence, correct)
    ends = _ends(p)
    correct_until = right.cumsum()[ends]
    good = np.flatnonzero(correct_until >= accuracy * (ends + 1) - 1e-9)
    if not len(good):
        return None
    last = int(ends[good[-1]])
    below = float(p[last + 1]) if last + 1 < len(p) else 0.0
    threshold = (float(p[last]) + below) / 2 if last + 1 < len(p) else 0.0
    return Choice(threshold, Share(int(correct_until[good[-1]]), last + 1), len(p))


def _sorted(confidence: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, right = columns(confidence, correct)
    order = np.argsort(-p, kind="stable")
    return p[order], right[order]


def _ends(p: FloatArray) -> npt.NDArray[np.int64]:
    """The last place of each confidence."""
    return np.flatnonzero(np.append(p[1:] < p[:-1], True)) if len(p) else np.zeros(0, np.int64)
