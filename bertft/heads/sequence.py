"""The sequence head, ``AutoModelForSequenceClassification``: class logits per sequence.

Shape legend: B sequences, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.encoder.load import load_model
from bertft.heads.inherited import take_rows


@dataclass(frozen=True, slots=True)
class SequenceHead:
    """Softmax cross-entropy over C labels, or C independent sigmoids when ``multi_label``.

    ``weights``: per class; scales the class's loss (single label) or that of its positives
    (multi-label). ``smoothing``: share of the target mass spread evenly over all classes
    (Szegedy et al. 2016).
    """

    pools: ClassVar[bool] = True
    labels: tuple[str, ...]
    multi_label: bool = False
    weights: tuple[float, ...] | None = None
    smoothing: float = 0.0

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        kind = "multi_label_classification" if self.multi_label else "single_label_classification"
        settings = {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": {name: index for index, name in enumerate(self.labels)},
            "problem_type": kind,
        }
        model = load_model(
            AutoModelForSequenceClassification, folder, settings=settings, trained=trained
        )
        if not trained:
            take_rows(model, folder)
        return model

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        is_soft = isinstance(encoded[0].target, list)
        kind = torch.float32 if self.multi_label or is_soft else torch.int64
        return torch.tensor([one.target for one in encoded], dtype=kind)  # [B, C] or [B]

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        logits = output.logits.float()  # [B, C]
        weights = None if self.weights is None else logits.new_tensor(self.weights)  # [C]
        if self.multi_label:
            even = 0.5 * self.smoothing
            targets = targets * (1 - self.smoothing) + even
            return functional.binary_cross_entropy_with_logits(
                logits, targets, pos_weight=weights, reduction="sum"
            )
        return functional.cross_entropy(
            logits, targets, weight=weights, label_smoothing=self.smoothing, reduction="sum"
        )

    def count(self, targets: torch.Tensor) -> float:
        if self.multi_label:
            return float(targets.numel())
        if self.weights is None:
            return float(len(targets))
        weights = torch.tensor(self.weights)  # [C]
        if targets.ndim > 1:  # soft labels
            return float((targets.cpu() @ weights).sum())
        return float(weights[targets.cpu()].sum())

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return list(output.logits.float().cpu().numpy())
