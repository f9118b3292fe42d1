"""Gold and answers in, Scores out: the official figures of each kind of task.

Shape legend: N examples, C classes, T types of entities.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from itertools import compress

import numpy as np

from bertft.contracts import FloatArray
from bertft.evaluation import answers as questions
from bertft.evaluation import entities, metrics
from bertft.evaluation.answers import Scoring
from bertft.evaluation.correlation import regression_metrics, regression_moments
from bertft.evaluation.intervals import point_values
from bertft.evaluation.metrics import IdArray
from bertft.evaluation.statistic import Scores, Statistic
from bertft.spans import Entity


def classification_scores(
    gold: Sequence[Sequence[int]],
    given: Sequence[Sequence[int]],
    labels: Sequence[str],
    *,
    multi_label: bool,
) -> Scores:
    """Scores of label ids: one id per example, or any number of them when ``multi_label``.

    Where each has one, examples without gold add nothing.
    """
    classes = len(labels)
    if multi_label:
        sets = [_multi_hot(gold, classes), _multi_hot(given, classes)]  # [N, C]
        values = partial(_official, "MultiLabel", *sets, classes=classes)
        statistic = Statistic(metrics.multilabel_counts(*sets), metrics.multi_label_metrics)
        baseline = metrics.majority_baseline(sets[0], classes=classes)
        tables = {}
    else:
        judged = np.array([bool(one) for one in gold])  # [N]
        ids = [
            np.array([one[0] for one in compress(side, judged)], dtype=np.int64)
            for side in (gold, given)
        ]
        rows = np.zeros((len(gold), 3 * classes + 1), dtype=np.float32)
        rows[judged] = metrics.class_counts(*ids, classes=classes)
        statistic = Statistic(rows, metrics.single_label_metrics)
        values, baseline = partial(point_values, statistic), {}
        if judged.any():
            values = partial(_official, "SingleLabel", *ids, classes=classes)
            baseline = metrics.majority_baseline(ids[0], classes=classes)
        tables = {"confusion": _named_confusion(ids[0], ids[1], labels)}
    per_class = metrics.per_class(statistic.rows.sum(axis=0, dtype=np.float64), names=labels)
    return Scores(values, statistic, {"per_class": per_class, **tables}, baseline)


def _official(name: str, gold: IdArray, given: IdArray, *, classes: int) -> dict[str, float]:
    """The values of a class of modules.py."""
    from bertft.evaluation import modules

    metric = getattr(modules, name)()
    found: dict[str, float] = metric.compute(references=gold, predictions=given, classes=classes)
    return found


def question_scores(
    golds: Sequence[Sequence[str]],
    answers: Sequence[str | None],
    *,
    scoring: Scoring,
) -> Scores:
    """Scores of answers to questions, each with its golds; no golds where there is no answer.

    The baseline answers nothing at all, and is there only where some question has no golds.
    """
    rows = questions.question_counts(golds, answers, scoring=scoring)  # [N, 3] or [N, 5]
    statistic = Statistic(rows, partial(questions.question_metrics, scoring=scoring))
    baseline = {}
    if rows.shape[1] == 5:
        nothing = questions.question_counts(golds, [""] * len(golds), scoring=scoring)
        baseline = point_values(Statistic(nothing, statistic.metrics))
    return Scores(partial(point_values, statistic), statistic, baseline=baseline)


def entity_scores(
    gold: Sequence[Collection[Entity]],
    given: Sequence[Collection[Entity]],
    *,
    types: Sequence[str],
    lengths: Sequence[int] | None = None,
    left_out: Sequence[Sequence[int]] | None = None,
) -> Scores:
    """Scores of the entities of each example; there is no baseline, as giving none scores 0.

    With ``lengths``, the characters of each text, character scores are added; positions that are
    ``left_out`` of them do not count there.
    """
    rows = entities.entity_counts(gold, given, types=types)  # [N, 3 T + 3]
    per_type = entities.per_type(rows.sum(axis=0), types=types)
    statistic = Statistic(rows, entities.entity_metrics)
    if lengths is not None:
        characters = entities.character_counts(gold, given, lengths, types=types, left_out=left_out)
        metrics_of_both = partial(_entity_and_character_metrics, columns=rows.shape[1])
        statistic = Statistic(np.concatenate([rows, characters], axis=1), metrics_of_both)
    return Scores(partial(point_values, statistic), statistic, {"per_class": per_type})


def _entity_and_character_metrics(totals: FloatArray, *, columns: int) -> dict[str, FloatArray]:
    """Of totals whose first ``columns`` are those of entities, the rest those of characters."""
    return {
        **entities.entity_metrics(totals[..., :columns]),
        **entities.character_metrics(totals[..., columns:]),
    }


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


def number_scores(gold: Sequence[float], given: Sequence[float]) -> Scores:
    """Pearson and Spearman correlation of numbers, and their root mean squared error."""
    statistic = Statistic(regression_moments(gold, given), regression_metrics)
    error = np.asarray(gold, dtype=np.float64) - np.asarray(given, dtype=np.float64)  # [N]
    rmse = float(np.sqrt((error**2).mean()))
    return Scores(lambda: point_values(statistic) | {"rmse": rmse}, statistic)
