"""Calibration: logits with gold go in, a scaling comes out that makes probabilities hold.

A probability holds when of all predictions of about 0.8, about 80 % are right. Logits are scaled
before they become probabilities, z -> slope z + offset, with figures fitted on gold:

Choices  one label per example: softmax(z / T), temperature scaling (Guo, Pleiss, Sun and Weinberger
         2017, On calibration of modern neural networks, ICML). T > 0 changes no predicted label.
Events   things that each hold or not: labels of which an example may have several, and answers and
         entities with the logit of their confidence: sigmoid(a z + b) by column, Platt scaling
         (Platt 1999; for structured predictions Jagannatha and Yu 2020, ACL).

Both are maximum likelihood with a grain of salt, so that a dev set without errors does not make a
model infallible: Platt's targets, and for Choices one more example of which any label is right.

Shape legend: N examples, C columns (labels).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bertft.evaluation.logistic import fit_logistic
from bertft.evaluation.probabilities import log_softmax, sigmoid

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

IndexArray = np.ndarray[Any, np.dtype[np.int64]]
Scaling = tuple[tuple[float, float], ...]
"""(slope, offset) of each column, or one for all of them; () leaves logits as they are."""

ENOUGH = 50
"""Examples from which a scaling is fitted; of fewer it would be noise."""
FEW = 5
"""Events that hold, and that do not, which two figures need; a label of its own needs TWICE."""
TWICE = 2 * FEW
COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of a temperature; 1 / HOTTEST is the least slope of an event, which stays in order."""
EDGE = 1e-12
"""Distance from 0 and 1 of a probability whose logit is taken."""


def fit_temperature(logits: npt.ArrayLike, gold: npt.ArrayLike) -> float:
    """T of softmax(z / T) that makes gold most likely, between COLDEST and HOTTEST.

    The loss is convex in 1 / T: its slope, sum over examples of E[z] - z[gold], is followed to
    where it is 0 by bisection. ``logits`` are [N, C], ``gold`` [N] ids; without examples T is 1.
    """
    z, ids = np.asarray(logits, dtype=np.float64), np.asarray(gold, dtype=np.int64)
    if not len(z):
        return 1.0
    # One more example of which any label is right: its share of each example's target.
    share = 1 / (len(z) + 1)
    wanted = (1 - share) * z[np.arange(len(z)), ids] + share * z.mean(axis=1)  # [N]
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(40):
        middle = (low + high) / 2
        p = np.exp(log_softmax(np.exp(middle) * z))  # [N, C]
        if ((p * z).sum(axis=1) - wanted).sum() > 0:
            high = middle
        else:
            low = middle
    return float(np.exp(-(low + high) / 2))


def fit_confidence(p: npt.ArrayLike, correct: npt.ArrayLike) -> tuple[float, float]:
    """(a, b) of sigmoid(a logit(p) + b), fitted to whether answers of confidence ``p`` are right.

    Platt scaling, as logistic.py has it. ``p`` and ``correct`` are [N]; without examples (a, b) is
    (1, 0), which changes nothing. Raises ValueError for a ``p`` that is no probability.
    """
    p, right = columns(p, correct)
    return fit_platt(logit(p), right)


def fit_platt(logits: FloatArray, right: FloatArray) -> tuple[float, float]:
    """(a, b) of sigmoid(a z + b) as ``fit_confidence`` has it, from logits [N]."""
    if len(logits) == 0:
        return 1.0, 0.0
    a, b = fit_logistic(logits[:, None], right)
    return float(a), float(b)


def calibrated(p: npt.ArrayLike, a: float, b: float) -> FloatArray:
    """sigmoid(a logit(p) + b) of probabilities of any shape; (a, b) from ``fit_confidence``."""
    return sigmoid(a * logit(np.asarray(p, dtype=np.float64)) + b)


def scaled(logits: npt.ArrayLike, scaling: Scaling) -> FloatArray:
    """[..., C] slope z + offset, by column."""
    values = np.asarray(logits, dtype=np.float64)
    if not scaling:
        return values
    slope, offset = np.array(scaling).T
    return np.asarray(slope * values + offset)


def unscaled(logits: npt.ArrayLike, scaling: Scaling) -> FloatArray:
    """[..., C] the logits that ``scaled`` was given."""
    values = np.asarray(logits, dtype=np.float64)
    if not scaling:
        return values
    slope, offset = np.array(scaling).T
    return np.asarray((values - offset) / slope)


def logit(p: FloatArray, *, edge: float = 1e-6) -> FloatArray:
    """log(p / (1 - p)), as if 0 and 1 were one millionth away."""
    check_probabilities(p)
    inside = np.clip(p, edge, 1 - edge)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def columns(*values: npt.ArrayLike) -> list[FloatArray]:
    """The values as columns [N] of finite doubles."""
    found: list[FloatArray] = [np.asarray(one, dtype=np.float64) for one in values]
    for column in found:
        if column.shape != found[0].shape or column.ndim != 1 or not np.isfinite(column).all():
            raise ValueError("values are lists of finite numbers, all of one length")
    return found


def check_probabilities(p: FloatArray) -> None:
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("confidences are probabilities, from 0 to 1")


# --- what is calibrated -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of M predictions: confidence, whether it is right, and what Brier score and NLL are means of.

    For Choices a prediction is the most probable label of an example, for Events each of them.
    """

    confidence: FloatArray
    right: FloatArray
    brier: FloatArray
    nll: FloatArray


@dataclass(frozen=True, slots=True)
class Choices:
    """Examples with one label each: logits [N, C] as the model gives them, gold ids [N]."""

    logits: FloatArray
    gold: IndexArray

    def __len__(self) -> int:
        return len(self.gold)

    def take(self, rows: FloatArray | IndexArray) -> Choices:
        return Choices(self.logits[rows], self.gold[rows])

    def lacks(self) -> str:
        """Why nothing is fitted; "" where it is."""
        return too_few(len(self), "examples")

    def fit(self) -> Scaling:
        """The slope 1 / T; () of too few examples."""
        return () if self.lacks() else self.best()

    def best(self) -> Scaling:
        """The slope 1 / T, of however few examples."""
        return ((1 / fit_temperature(self.logits, self.gold), 0.0),)

    def outcomes(self, scaling: Scaling) -> Outcomes:
        """With the multi-class score of Brier (1950), the squared distance of p and the one-hot
        gold."""
        log_p = log_softmax(scaled(self.logits, scaling))  # [N, C]
        rows, p = np.arange(len(self)), np.exp(log_p)
        brier = (p**2).sum(axis=1) - 2 * p[rows, self.gold] + 1
        right = log_p.argmax(axis=1) == self.gold
        return Outcomes(p.max(axis=1), right.astype(np.float64), brier, -log_p[rows, self.gold])


@dataclass(frozen=True, slots=True)
class Events:
    """Things that hold or not: logits [N, C] as the model gives them, gold [N, C] of 0 and 1.

    Columns are labels of which an example may have several; answers and entities are one column.
    ``kind`` is what a column's rows are called.
    """

    logits: FloatArray
    gold: FloatArray
    kind: str = "predictions"

    def __len__(self) -> int:
        return len(self.gold)

    def take(self, rows: FloatArray | IndexArray) -> Events:
        return Events(self.logits[rows], self.gold[rows], self.kind)

    def lacks(self) -> str:
        """Why nothing is fitted; "" where it is."""
        held = int(self.gold.sum())
        if short := too_few(len(self), self.kind):
            return short
        if min(held, self.gold.size - held) < FEW:
            few, what = min((held, "right"), (self.gold.size - held, "wrong"))
            return f"only {few} of {self.gold.size:,} {self.kind} are {what}"
        return ""

    def fit(self) -> Scaling:
        """(a, b) by column; () of too few events."""
        return () if self.lacks() else self.best()

    def best(self) -> Scaling:
        """(a, b) by column; columns with too few of either kind share those of all together."""
        together = self._column(self.logits.ravel(), self.gold.ravel())
        held = self.gold.sum(axis=0)
        alone = np.minimum(held, len(self) - held) >= TWICE
        return tuple(
            self._column(z, gold) if own else together
            for z, gold, own in zip(self.logits.T, self.gold.T, alone, strict=True)
        )

    @staticmethod
    def _column(logits: FloatArray, gold: FloatArray) -> tuple[float, float]:
        a, b = fit_platt(logits, gold)
        if a >= 1 / HOTTEST:
            return a, b
        # Confidence that says nothing, or the contrary: the order stays, the mean is right.
        slope = 1 / HOTTEST
        low, high = -50.0, 50.0
        for _ in range(60):
            middle = (low + high) / 2
            too_high = sigmoid(slope * logits + middle).mean() > gold.mean()
            low, high = (low, middle) if too_high else (middle, high)
        return slope, (low + high) / 2

    def outcomes(self, scaling: Scaling) -> Outcomes:
        z = scaled(self.logits, scaling).ravel()
        held = self.gold.ravel().astype(np.float64)
        p = sigmoid(z)
        return Outcomes(p, held, (p - held) ** 2, np.logaddexp(0, z) - held * z)


Evidence = Choices | Events


def events_of(
    p: npt.ArrayLike, held: npt.ArrayLike, *, scaling: Scaling = (), kind: str = "predictions"
) -> Events:
    """Events from probabilities [N] or [N, C] that were made with a scaling, which is undone."""
    values, gold = np.asarray(p, dtype=np.float64), np.asarray(held, dtype=np.float64)
    if values.ndim == 1:
        values, gold = values[:, None], gold[:, None]
    return Events(unscaled(logit(values, edge=EDGE), scaling), gold, kind)


def choices_of(p: npt.ArrayLike, gold: npt.ArrayLike, *, scaling: Scaling = ()) -> Choices:
    """Choices from probabilities [N, C] that were made with a scaling, which is undone."""
    values = np.asarray(p, dtype=np.float64)
    return Choices(
        unscaled(np.log(np.maximum(values, 1e-300)), scaling), np.asarray(gold, np.int64)
    )


def cross_fitted(evidence: Evidence, *, folds: int = 5) -> Outcomes:
    """Outcomes in their order, each with the scaling that the other folds tell.

    Where all together are too few to fit anything, nothing is.
    """
    if evidence.lacks():
        return evidence.outcomes(())
    fold = np.arange(len(evidence)) % folds
    parts = [
        evidence.take(fold == number).outcomes(evidence.take(fold != number).best())
        for number in range(folds)
    ]
    wide = evidence.gold.shape[1] if isinstance(evidence, Events) else 1
    order = np.argsort(np.repeat(fold, wide), kind="stable")

    def joined(name: str) -> FloatArray:
        values = np.concatenate([getattr(one, name) for one in parts])
        found = np.empty_like(values)
        found[order] = values
        return found

    return Outcomes(joined("confidence"), joined("right"), joined("brier"), joined("nll"))


def too_few(count: int, kind: str) -> str:
    return f"{count} {kind} are fewer than {ENOUGH}" if count < ENOUGH else ""
