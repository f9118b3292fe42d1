"""Counts per example go in, scores come out: every metric is a function of sums over examples.

``class_counts`` and ``multilabel_counts`` turn gold and predicted values into rows [N, K], one row
per example; ``single_label_metrics`` and ``multi_label_metrics`` turn sums of rows [..., K] into
named scores [...]. A pair of the two is a ``Statistic``, and any number of resamples is scored in
one call. ``correlation`` does the same for numbers.

Every ratio 0/0 is 0, as in scikit-learn with ``zero_division=0``. With tp, predicted and gold the
counts of one class: precision = tp / predicted, recall = tp / gold, F1 = 2 tp / (predicted + gold);
"micro" sums the counts over classes first, "macro" is the plain mean of the per-class values, and
"weighted" their mean weighted by gold (van Rijsbergen, Information Retrieval, 1979, chapter 7;
Manning, Raghavan and Schuetze, Introduction to Information Retrieval, 2008, sections 8.3 and 13.6).

Shape legend: N examples, C classes, K values per example.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

IdArray = np.ndarray[Any, np.dtype[np.int64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


def class_counts(gold: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int) -> FloatArray:
    """Rows [N, 3 C + 1] of class ids [N]: one-hot true positive, predicted and gold, and 1."""
    gold, predicted = _ids(gold, classes=classes), _ids(predicted, classes=classes)
    same_length(gold, predicted)
    example = np.arange(len(gold))
    rows = np.zeros((len(gold), 3 * classes + 1), dtype=np.float32)  # [N, 3 C + 1]
    rows[example, gold] = gold == predicted
    rows[example, classes + predicted] = 1
    rows[example, 2 * classes + gold] = 1
    rows[:, -1] = 1
    return rows


def multilabel_counts(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    """Rows [N, 3 C + 2] of label sets [N, C]: true positive, predicted, gold, exact match, 1."""
    gold, predicted = _multi_hot(gold), _multi_hot(predicted)
    same_length(gold, predicted)
    classes = gold.shape[1]
    rows = np.empty((len(gold), 3 * classes + 2), dtype=np.float32)  # [N, 3 C + 2]
    rows[:, :classes] = gold & predicted
    rows[:, classes : 2 * classes] = predicted
    rows[:, 2 * classes : 3 * classes] = gold
    rows[:, -2] = (gold == predicted).all(axis=1)
    rows[:, -1] = 1
    return rows


def single_label_metrics(totals: FloatArray) -> dict[str, FloatArray]:
    """Scores [...] from sums [..., 3 C + 1] of ``class_counts``.

    - accuracy: correct / N. micro_f1 is the same number where each example has one label.
    - macro_f1, macro_precision, macro_recall: means over the classes that occur in gold or in the
      predictions, which is what ``sklearn.metrics.f1_score(gold, predicted, average="macro")`` does
      when it is not given ``labels``. A class that the model knows but that occurs in neither does
      not count; one that is predicted but absent from gold, or never predicted, counts as 0.
    - weighted_f1: mean F1 weighted by gold.
    - mcc: R_K of Gorodkin (2004, Computational Biology and Chemistry 28, 367-374), Matthews'
      coefficient for C classes: (c s - p.g) / sqrt((s^2 - p.p) (s^2 - g.g)) with c correct of s
      examples, p and g the predicted and gold totals; 0 where gold or predictions are one class.
    """
    true, predicted, gold, (size,) = _split(totals, extra=1)
    correct = true.sum(axis=-1)  # [...]
    averages = _averages(true, predicted, gold, counted=predicted + gold > 0)
    covariance = correct * size - (predicted * gold).sum(axis=-1)
    spread = [np.sqrt(size**2 - (counts**2).sum(axis=-1)) for counts in (predicted, gold)]
    return {
        "accuracy": ratio(correct, size),
        "macro_f1": averages["macro_f1"],
        "micro_f1": averages["micro_f1"],
        "weighted_f1": averages["weighted_f1"],
        "mcc": np.clip(ratio(covariance, spread[0] * spread[1]), -1.0, 1.0),
        "macro_precision": averages["macro_precision"],
        "macro_recall": averages["macro_recall"],
    }


def multi_label_metrics(totals: FloatArray) -> dict[str, FloatArray]:
    """Scores [...] from sums [..., 3 C + 2] of ``multilabel_counts``.

    - micro_f1, micro_precision, micro_recall: from the counts summed over labels.
    - macro_f1, macro_precision, macro_recall: means over all C labels, as scikit-learn takes them
      for indicator matrices; a label that occurs nowhere counts as 0.
    - weighted_f1: mean F1 weighted by gold.
    - subset_accuracy: share of examples whose label set is exactly right, the empty set included.
    """
    true, predicted, gold, (exact, size) = _split(totals, extra=2)
    averages = _averages(true, predicted, gold, counted=np.ones_like(gold, dtype=bool))
    return {**averages, "subset_accuracy": ratio(exact, size)}


def per_class(totals: FloatArray, *, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1, support (gold) and predicted count by class name, from one sum [K].

    The sums are those of ``class_counts`` or of ``multilabel_counts``.
    """
    if totals.shape not in ((3 * len(names) + 1,), (3 * len(names) + 2,)):
        raise ValueError(f"{len(names)} names do not fit totals of shape {totals.shape}")
    true, predicted, gold, _ = _split(totals, extra=len(totals) - 3 * len(names))
    columns = {
        "precision": ratio(true, predicted),
        "recall": ratio(true, gold),
        "f1": ratio(2 * true, predicted + gold),
        "support": gold,
        "predicted": predicted,
    }
    return {
        name: {column: float(values[index]) for column, values in columns.items()}
        for index, name in enumerate(names)
    }


def confusion(gold: npt.ArrayLike, predicted: npt.ArrayLike, *, classes: int) -> IdArray:
    """How often class ``row`` was answered with class ``column``: [C, C]."""
    gold, predicted = _ids(gold, classes=classes), _ids(predicted, classes=classes)
    same_length(gold, predicted)
    cells = np.bincount(gold * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)  # [C, C]


def majority_baseline(gold: npt.ArrayLike, *, classes: int) -> dict[str, float]:
    """Scores of always answering the most frequent gold class (the first of equally frequent ones).

    Gold ids [N] give the scores of ``single_label_metrics``; gold label sets [N, C] those of
    ``multi_label_metrics``, where every answer is that one label.
    """
    if np.ndim(gold) == 2:
        sets = _multi_hot(gold)
        if sets.shape[1] != classes:
            raise ValueError(f"label sets have {sets.shape[1]} columns, not {classes}")
        most_frequent = np.arange(classes) == sets.sum(axis=0).argmax()
        rows = multilabel_counts(sets, np.broadcast_to(most_frequent, sets.shape))
        return as_floats(multi_label_metrics(rows.sum(axis=0, dtype=np.float64)))
    ids = _ids(gold, classes=classes)
    answers = np.full_like(ids, np.bincount(ids, minlength=classes).argmax())
    rows = class_counts(ids, answers, classes=classes)
    return as_floats(single_label_metrics(rows.sum(axis=0, dtype=np.float64)))


def best_threshold(probabilities: FloatArray, gold: BoolArray) -> float | None:
    """The threshold at which giving all labels that reach it has the highest micro F1.

    ``probabilities`` and ``gold`` are [N, C]. It lies between two probabilities that occur; of
    equally good thresholds the one nearest to 0.5 is taken. None without any gold label.
    """
    wanted = int(gold.sum())
    if not wanted:
        return None
    order = np.argsort(-probabilities, axis=None, kind="stable")
    p, right = probabilities.ravel()[order], gold.ravel()[order]
    given = np.arange(1, len(p) + 1)
    f1 = 2 * right.cumsum() / (given + wanted)
    below = np.append(p[1:], 0.0)
    f1 = np.where(below < p, f1, -1.0)  # equal probabilities stay together
    middle = (p + below) / 2
    best = np.flatnonzero(f1 == f1.max())
    choice = middle[best[np.abs(middle[best] - 0.5).argmin()]]
    return float(np.clip(choice, 1e-6, 1 - 1e-6))


def thresholds_by_label(
    probabilities: FloatArray, gold: BoolArray, *, otherwise: float, least: int
) -> tuple[float, ...]:
    """The threshold of each label's highest F1 (Yang 2001, A study of thresholding strategies for
    text categorization, SIGIR); ``otherwise`` for one that fewer than ``least`` examples have."""
    found = []
    for label in range(gold.shape[1]):
        own = best_threshold(probabilities[:, [label]], gold[:, [label]])
        found.append(otherwise if own is None or gold[:, label].sum() < least else own)
    return tuple(found)


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """``part / whole`` by element, and 0 where ``whole`` is 0: no score is ever NaN."""
    part, whole = np.broadcast_arrays(doubles(part), doubles(whole))
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def as_floats(metrics: dict[str, FloatArray]) -> dict[str, float]:
    """The scores of one sum as plain floats."""
    return {name: float(value) for name, value in metrics.items()}


def cohen_kappa(one: npt.ArrayLike, other: npt.ArrayLike, *, classes: int) -> float:
    """Agreement of two raters beyond chance, from their class ids [N] (Cohen 1960).

    kappa = (p_o - p_e) / (1 - p_e), with p_o the share of equal ids and p_e what it would be if
    both drew them from their own frequencies; 1 where both always say the same one class.
    """
    first, second = _ids(one, classes=classes), _ids(other, classes=classes)
    same_length(first, second)
    size = max(1, len(first))
    shares = [np.bincount(ids, minlength=classes) / size for ids in (first, second)]
    observed, expected = float((first == second).mean()), float(shares[0] @ shares[1])
    return 1.0 if expected >= 1 else (observed - expected) / (1 - expected)


def _averages(
    true: FloatArray, predicted: FloatArray, gold: FloatArray, *, counted: BoolArray
) -> dict[str, FloatArray]:
    """Micro, macro and weighted scores [...] from counts [..., C]; macro over ``counted`` classes.

    Classes that are not counted have no gold and no prediction, so that they add 0 to each sum.
    """
    both, classes = predicted + gold, counted.sum(axis=-1)
    f1 = ratio(2 * true, both)  # [..., C]
    correct = true.sum(axis=-1)  # [...]
    return {
        "micro_f1": ratio(2 * correct, both.sum(axis=-1)),
        "macro_f1": ratio(f1.sum(axis=-1), classes),
        "weighted_f1": ratio((f1 * gold).sum(axis=-1), gold.sum(axis=-1)),
        "micro_precision": ratio(correct, predicted.sum(axis=-1)),
        "micro_recall": ratio(correct, gold.sum(axis=-1)),
        "macro_precision": ratio(ratio(true, predicted).sum(axis=-1), classes),
        "macro_recall": ratio(ratio(true, gold).sum(axis=-1), classes),
    }


def _split(
    totals: FloatArray, *, extra: int
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[FloatArray, ...]]:
    """True positives, predicted and gold [..., C], and the ``extra`` last sums [...]."""
    totals = doubles(totals)
    classes, rest = divmod(totals.shape[-1] - extra, 3)
    if rest or classes < 1:
        raise ValueError(f"totals of shape {totals.shape} are not 3 C + {extra} sums")
    counts = totals[..., : 3 * classes].reshape(*totals.shape[:-1], 3, classes)  # [..., 3, C]
    tail = tuple(totals[..., 3 * classes + index] for index in range(extra))
    return counts[..., 0, :], counts[..., 1, :], counts[..., 2, :], tail


def _ids(values: npt.ArrayLike, *, classes: int) -> IdArray:
    ids = np.asarray(values)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise ValueError(f"class ids are integers [N], not {ids.dtype} {ids.shape}")
    if ids.size and not (ids.min() >= 0 and ids.max() < classes):
        raise ValueError(f"class ids {ids.min()} to {ids.max()} are not all in 0 to {classes - 1}")
    return ids.astype(np.int64, copy=False)


def _multi_hot(values: npt.ArrayLike) -> BoolArray:
    sets = np.asarray(values)
    if sets.ndim != 2 or not ((sets == 0) | (sets == 1)).all():
        raise ValueError(f"label sets are zeros and ones [N, C], not {sets.dtype} {sets.shape}")
    return sets.astype(np.bool_, copy=False)


def doubles(values: FloatArray) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def same_length(gold: np.ndarray[Any, Any], predicted: np.ndarray[Any, Any]) -> None:
    if gold.shape != predicted.shape:
        raise ValueError(f"gold has shape {gold.shape}, predictions have {predicted.shape}")
