"""How much each label is to be doubted: given labels and probabilities in, scores and marks out.

The probabilities have to be those of models that did not learn from the example (jobs/folds.py).
The score is the probability of the given label, so that the lowest come first; what is marked is
estimated by confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70): for each pair of labels
as many examples as the joint of given and true labels says were confused. The library cleanlab does
both; it is imported when it is first used, and is an extra of the installation.

Shape legend: N examples or units, C labels.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bertft.arrays import FloatArray
from bertft.errors import RunError
from bertft.evaluation.metrics import BoolArray, IdArray

FEW = 2
"""Of a label that fewer examples have, nothing can be learned while one is held out."""


def check_installed() -> None:
    """Raise RunError where cleanlab is not installed."""
    from importlib.util import find_spec

    if find_spec("cleanlab") is None:
        what = "looking for label errors needs the library cleanlab"
        raise RunError(what, hint="pip install '.[labels]', or pip install cleanlab")


def label_quality(given: IdArray, p: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Score and mark [N] of label ids ``given`` [N] with probabilities ``p`` [N, C]."""
    check_installed()
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    p = np.asarray(p, dtype=np.float64) / p.sum(axis=1, keepdims=True)
    scores: FloatArray = get_label_quality_scores(given, p, method="self_confidence")
    marks: BoolArray = _quiet(find_label_issues, given, p)
    return scores, marks


def set_quality(given: BoolArray, p: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Score and mark [N, C] where each example has a set of labels: of each label by itself."""
    scores = np.where(given, p, 1 - p).astype(np.float64)
    marks = np.zeros(given.shape, dtype=bool)
    for label in range(given.shape[1]):
        if FEW <= given[:, label].sum() <= len(given) - FEW:
            own = np.stack([1 - p[:, label], p[:, label]], axis=1)
            _, marks[:, label] = label_quality(given[:, label].astype(np.int64), own)
    return scores, marks


def _quiet(find: Any, given: IdArray, p: FloatArray) -> Any:
    """cleanlab 2.9 warns where it estimates that a class has no right label: that is no fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find(given, p, n_jobs=1)
