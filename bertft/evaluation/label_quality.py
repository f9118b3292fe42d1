"""How much each label is to be doubted: given labels and probabilities in, scores and marks out.

The probabilities have to be those of models that did not learn from the example (jobs/folds.py).
They are first calibrated on the given labels by vector scaling (Guo, Pleiss, Sun and Weinberger
2017, ICML): a model that overrates a label would else cast doubt on right ones. The score is the
probability of the given label, so that the lowest come first. What is marked is estimated by
confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70): for each pair of labels as many
examples as the joint of given and true labels says were confused. The library cleanlab does that;
it is imported when it is first used, and is an extra of the installation.

Shape legend: N examples or units, C labels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertft.arrays import FloatArray
from bertft.errors import RunError
from bertft.evaluation.metrics import BoolArray, IdArray
from bertft.evaluation.probabilities import log_softmax

FEW = 2
"""Of a label that fewer examples have, nothing can be learned while one is held out."""
EDGE = 1e-12
"""The least probability that is told from 0."""
LEAST_SLOPE = 0.05
"""What was less probable stays so, however badly the model knows its labels."""


def check_installed() -> None:
    """Raise RunError where cleanlab is not installed."""
    from importlib.util import find_spec

    if find_spec("cleanlab") is None:
        what = "looking for label errors needs the library cleanlab"
        raise RunError(what, hint="pip install '.[labels]', or pip install cleanlab")


@dataclass(frozen=True, slots=True)
class Quality:
    """Of N labels: calibrated probabilities ``p`` [N, C], ``scores`` [N] of those given, ``marks``
    [N] of those that are probably wrong."""

    p: FloatArray
    scores: FloatArray
    marks: BoolArray


def label_quality(given: IdArray, p: FloatArray) -> Quality:
    """The quality of label ids ``given`` [N] with probabilities ``p`` [N, C]."""
    check_installed()
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    p = vector_scaled(given, p)
    scores: FloatArray = get_label_quality_scores(given, p, method="self_confidence")
    marks: BoolArray = _quiet(find_label_issues, given, p)
    return Quality(p, scores, marks)


def set_quality(given: BoolArray, p: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Score and mark [N, C] where each example has a set of labels: of each label by itself."""
    scores = np.where(given, p, 1 - p).astype(np.float64)
    marks = np.zeros(given.shape, dtype=bool)
    for label in range(given.shape[1]):
        if FEW <= given[:, label].sum() <= len(given) - FEW:
            own = np.stack([1 - p[:, label], p[:, label]], axis=1)
            found = label_quality(given[:, label].astype(np.int64), own)
            scores[:, label], marks[:, label] = found.scores, found.marks
    return scores, marks


def vector_scaled(given: IdArray, p: FloatArray) -> FloatArray:
    """[N, C] softmax(slope log p + offsets), with which the given labels are most likely.

    A normal prior on the offsets and on slope - 1 keeps few examples from changing much.
    """
    from scipy.optimize import minimize

    z = np.log(np.maximum(np.asarray(p, dtype=np.float64), EDGE))  # [N, C]
    rows, (count, width) = np.arange(len(z)), z.shape
    wanted = np.bincount(given, minlength=width)
    along = float(z[rows, given].sum())
    neutral = np.array([1.0, *np.zeros(width)])

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        log_p = log_softmax(x[0] * z + x[1:])
        found = np.exp(log_p)
        slope = float((found * z).sum()) - along
        gradient = np.concatenate([[slope], found.sum(axis=0) - wanted]) + (x - neutral)
        value = float(((x - neutral) ** 2).sum() / 2 - log_p[rows, given].sum())
        return value / count, gradient / count

    bounds = [(LEAST_SLOPE, None), *[(None, None)] * width]
    x = minimize(loss, neutral, jac=True, method="L-BFGS-B", bounds=bounds).x
    scaled: FloatArray = np.exp(log_softmax(x[0] * z + x[1:]))
    return scaled


def _quiet(find: Any, given: IdArray, p: FloatArray) -> Any:
    """cleanlab 2.9 warns where it estimates that a class has no right label: that is no fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find(given, p, n_jobs=1)
