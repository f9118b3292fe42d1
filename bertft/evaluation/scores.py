"""Gold and answers in, Scores out: the official figures of each kind of task.

Shape legend: N examples, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bertft.contracts import Scores, Statistic
from bertft.evaluation import metrics
from bertft.evaluation.metrics import IdArray
from bertft.evaluation.modules import MultiLabel, SingleLabel


def classification_scores(
    gold: Sequence[Sequence[int]],
    given: Sequence[Sequence[int]],
    labels: Sequence[str],
    *,
    multi_label: bool,
) -> Scores:
    """Scores of label ids: one id per example, or any number of them when ``multi_label``."""
    classes = len(labels)
    if multi_label:
        sets = [_multi_hot(gold, classes), _multi_hot(given, classes)]  # [N, C]
        values = MultiLabel().compute(references=sets[0], predictions=sets[1], classes=classes)
        statistic = Statistic(metrics.multilabel_counts(*sets), metrics.multi_label_metrics)
        baseline = metrics.majority_baseline(sets[0], classes=classes)
        tables = {}
    else:
        ids = [np.array([one[0] for one in side]) for side in (gold, given)]  # [N]
        values = SingleLabel().compute(references=ids[0], predictions=ids[1], classes=classes)
        rows = metrics.class_counts(*ids, classes=classes)
        statistic = Statistic(rows, metrics.single_label_metrics)
        baseline = metrics.majority_baseline(ids[0], classes=classes)
        tables = {"confusion": _named_confusion(ids[0], ids[1], labels)}
    per_class = metrics.per_class(statistic.rows.sum(axis=0, dtype=np.float64), names=labels)
    return Scores(values, statistic, {"per_class": per_class, **tables}, baseline)


def _multi_hot(ids: Sequence[Sequence[int]], classes: int) -> IdArray:
    hot = np.zeros((len(ids), classes), dtype=np.int64)  # [N, C]
    for row, chosen in enumerate(ids):
        hot[row, list(chosen)] = 1
    return hot


def _named_confusion(
    gold: IdArray,
    given: IdArray,
    labels: Sequence[str],
) -> dict[str, dict[str, float]]:
    """gold name -> given name -> count, zeros left out."""
    counts = metrics.confusion(gold, given, classes=len(labels))  # [C, C]
    return {
        name: {labels[j]: int(count) for j, count in enumerate(row) if count}
        for name, row in zip(labels, counts, strict=True)
    }
