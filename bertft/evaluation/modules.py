"""Every metric as an ``evaluate.Metric`` class: ids, texts or entities go in, floats come out.

    SingleLabel().compute(predictions=[0, 1], references=[0, 0], classes=2)
    MultiLabel().compute(predictions=[[0, 1]], references=[[1, 1]])
    QuestionAnswering().compute(predictions=["a"], references=[["a", "b"]], scoring="squad")
    EntityTagging().compute(predictions=[[entity]], references=[[]], types=["PER"])

They are built in the tree because ``evaluate.load`` fetches code over the network. Nothing is left
on disk: values stay in memory. Apart from the counts, because importing ``evaluate`` imports
``transformers.pipelines`` and ``datasets``, which takes seconds.

Shape legend: N examples, C classes.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any

import evaluate
import numpy as np
from datasets import Features, List, Sequence, Value

from bertft.evaluation.answers import Scoring, question_counts, question_metrics
from bertft.evaluation.entities import entity_counts, entity_metrics
from bertft.evaluation.metrics import (
    as_floats,
    class_counts,
    multi_label_metrics,
    multilabel_counts,
    single_label_metrics,
)
from bertft.spans import Entity


class InMemoryMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate 0.4.6 ships no types
    """A metric that keeps its values in memory and leaves nothing on disk."""

    def __init__(self) -> None:
        # evaluate 0.4.6 makes its cache folder even when told to keep everything in memory.
        with TemporaryDirectory() as folder:
            super().__init__(keep_in_memory=True, cache_dir=folder)


class SingleLabel(InMemoryMetric):
    """One class id per example; scores as ``single_label_metrics`` defines them."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=str(single_label_metrics.__doc__),
            citation="",
            inputs_description="predictions, references: class ids; classes: how many there are",
            features=Features({"predictions": Value("int64"), "references": Value("int64")}),
        )

    def _compute(
        self, predictions: list[int], references: list[int], *, classes: int
    ) -> dict[str, float]:
        rows = class_counts(references, predictions, classes=classes)
        return as_floats(single_label_metrics(rows.sum(axis=0, dtype=np.float64)))


class MultiLabel(InMemoryMetric):
    """One row of C zeros and ones per example; scores as ``multi_label_metrics`` defines them."""

    def _info(self) -> evaluate.MetricInfo:
        labels = Sequence(Value("int8"))
        return evaluate.MetricInfo(
            description=str(multi_label_metrics.__doc__),
            citation="",
            inputs_description="predictions, references: rows of 0 and 1; classes: their length",
            features=Features({"predictions": labels, "references": labels}),
        )

    def _compute(
        self,
        predictions: list[list[int]],
        references: list[list[int]],
        *,
        classes: int | None = None,
    ) -> dict[str, float]:
        """``classes`` is needed only where there are no rows to tell how long they are."""
        length = len(references[0]) if classes is None else classes
        sets = [
            np.asarray(rows).reshape(len(rows), length) for rows in (references, predictions)
        ]  # [N, C] each
        counts = multilabel_counts(*sets)  # [N, 3 C + 2]
        return as_floats(multi_label_metrics(counts.sum(axis=0, dtype=np.float64)))


class QuestionAnswering(InMemoryMetric):
    """One answer and any number of golds per question; scores as ``question_metrics`` has them."""

    def _info(self) -> evaluate.MetricInfo:
        text = Value("string")
        return evaluate.MetricInfo(
            description=str(question_metrics.__doc__),
            citation="",
            inputs_description="predictions: texts; references: lists of golds; scoring: its name",
            features=Features({"predictions": text, "references": Sequence(text)}),
        )

    def _compute(
        self, predictions: list[str], references: list[list[str]], *, scoring: Scoring
    ) -> dict[str, float]:
        rows = question_counts(references, predictions, scoring=scoring)  # [N, 3] or [N, 5]
        return as_floats(question_metrics(rows.sum(axis=0), scoring=scoring))


class EntityTagging(InMemoryMetric):
    """The entities of each example as dicts of the fields of ``Entity``, all of them given."""

    def _info(self) -> evaluate.MetricInfo:
        fields = {"start": "int64", "end": "int64", "label": "string", "repaired": "bool"}
        entities = List({name: Value(kind) for name, kind in fields.items()})
        return evaluate.MetricInfo(
            description=str(entity_metrics.__doc__),
            citation="",
            inputs_description="predictions, references: lists of entities; types: their names",
            features=Features({"predictions": entities, "references": entities}),
        )

    def _compute(
        self,
        predictions: list[list[dict[str, Any]]],
        references: list[list[dict[str, Any]]],
        *,
        types: list[str],
    ) -> dict[str, float]:
        given, gold = (
            [[Entity(**one) for one in entities] for entities in side]
            for side in (predictions, references)
        )
        return as_floats(entity_metrics(entity_counts(gold, given, types=types).sum(axis=0)))
