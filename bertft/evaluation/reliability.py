"""How far probabilities hold: outcomes of predictions go in, calibration error, Brier score and
negative log-likelihood come out, and the bins of a reliability diagram.

Shape legend: M predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bertft.evaluation.calibration import (
    Choices,
    Evidence,
    Outcomes,
    Scaling,
    check_probabilities,
    columns,
    cross_fitted,
)
from bertft.evaluation.selective import area, risk_coverage

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

BINS = 15
FOLDS = 5
POINTS = 101
"""Places of a stored risk-coverage curve."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about one confidence: how many, their mean, and the share that is right."""

    count: int
    confidence: float
    right: float


def reliability_bins(p: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS) -> list[Bin]:
    """Bins of equally many predictions, in order of confidence; equal ones stay together."""
    p, right = columns(p, correct)
    check_probabilities(p)
    order = np.argsort(p, kind="stable")
    p, right = p[order], right[order]
    # A bin ends where its share is full, and before the next larger confidence.
    ends = np.searchsorted(p, p[np.ceil(np.arange(1, bins + 1) * len(p) / bins).astype(int) - 1],
                           side="right") if len(p) else []  # fmt: skip
    found, start = [], 0
    for end in map(int, ends):
        if end > start:
            found.append(Bin(end - start, float(p[start:end].mean()),
                             float(right[start:end].mean())))  # fmt: skip
            start = end
    return found


def calibration_error(p: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error: sum over bins of n_b / M |mean confidence - share right|.

    Bins hold equally many predictions (the adaptive bins of Nixon, Dusenberry, Zhang, Jerfel and
    Tran 2019, Measuring calibration in deep learning, CVPR workshops; Kumar, Liang and Ma 2019,
    Verified uncertainty calibration, NeurIPS), for equal steps leave most bins nearly empty. 0
    without predictions. Raises ValueError for a ``p`` that is no probability.
    """
    found = reliability_bins(p, correct, bins=bins)
    total = sum(one.count for one in found)
    return sum(one.count * abs(one.confidence - one.right) for one in found) / max(1, total)


def figures(outcomes: Outcomes) -> dict[str, float]:
    """``calibration_error``, ``brier`` and ``nll`` of predictions; 0 without any."""
    some = len(outcomes.confidence) > 0
    return {
        "calibration_error": calibration_error(outcomes.confidence, outcomes.right),
        "brier": float(outcomes.brier.mean()) if some else 0.0,
        "nll": float(outcomes.nll.mean()) if some else 0.0,
    }


def calibration_content(evidence: Evidence, scaling: Scaling) -> dict[str, Any]:
    """What scores.json says of probabilities: figures as given, and ``before`` calibration.

    ``bins`` are [count, mean confidence, share right]. Where each prediction stands alone (not one
    of several labels), ``aurc`` and ``risk_coverage`` say what withholding would gain.
    """
    given = evidence.outcomes(scaling)
    content: dict[str, Any] = {"predictions": len(given.confidence), **figures(given)}
    content["by_chance"] = error_by_chance(given.confidence)
    content["bins"] = _bins(given)
    if scaling:
        raw = evidence.outcomes(())
        content["before"] = {**figures(raw), "bins": _bins(raw)}
    if _stands_alone(evidence) and len(given.confidence):
        content["aurc"] = area(given.confidence, given.right)
        content["risk_coverage"] = _curve(given)
    return content


def dev_content(evidence: Evidence, scaling: Scaling) -> dict[str, Any]:
    """What calibration.json says: figures on dev, and the dev predictions that rules are made from.

    ``fitted`` are figures on the very dev set that told the scaling; ``cross_fitted`` those with
    each fifth of dev scaled by what the others tell. ``confidence`` and ``right`` are predictions,
    cross-fitted; ``improbable`` is 1 - p(gold) of each example, for sets of labels.
    """
    crossed = cross_fitted(evidence, folds=FOLDS)
    content: dict[str, Any] = {
        "examples": len(evidence),
        "lacks": evidence.lacks(),
        "scaling": [list(one) for one in scaling],
        "before": figures(evidence.outcomes(())),
        "fitted": figures(evidence.outcomes(scaling)),
        "cross_fitted": figures(crossed),
        "folds": FOLDS,
    }
    if _stands_alone(evidence):
        content["confidence"] = [_short(one) for one in crossed.confidence]
        content["right"] = [int(one) for one in crossed.right]
    if isinstance(evidence, Choices):
        content["improbable"] = [_short(one) for one in -np.expm1(-crossed.nll)]
    return content


def _stands_alone(evidence: Evidence) -> bool:
    return isinstance(evidence, Choices) or evidence.gold.shape[1] == 1


def _bins(outcomes: Outcomes) -> list[list[float]]:
    found = reliability_bins(outcomes.confidence, outcomes.right)
    return [[one.count, _short(one.confidence), _short(one.right)] for one in found]


def _curve(outcomes: Outcomes) -> list[list[float]]:
    """[share answered, error among these] at some of the places."""
    shares, risks = risk_coverage(outcomes.confidence, outcomes.right)
    places = np.unique(np.linspace(0, len(shares) - 1, POINTS).astype(int))
    return [[_short(shares[one]), _short(risks[one])] for one in places]


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def error_by_chance(p: FloatArray, *, bins: int = BINS) -> float:
    """The calibration error to be expected of probabilities [M] that hold exactly.

    A bin's share of right ones then varies by sqrt(sum p (1 - p)) / n_b about its mean confidence,
    and the mean size of a normal deviation is sqrt(2 / pi) of its standard deviation.
    """
    order = np.sort(np.asarray(p, dtype=np.float64))
    parts = [one for one in np.array_split(order, bins) if len(one)]
    spread = sum(np.sqrt((one * (1 - one)).sum()) for one in parts)
    return float(np.sqrt(2 / np.pi) * spread / max(1, len(order)))
