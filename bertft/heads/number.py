"""The number head: one output per sequence, ``AutoModelForSequenceClassification`` with one label.

Shape legend: B sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.encoder.load import load_model
from bertft.heads.inherited import take_rows


@dataclass(frozen=True, slots=True)
class NumberHead:
    """Mean squared error of one number.

    ``start`` is the output that training starts from, the mean of its targets: the last bias takes
    thousands of small steps to get there by itself.
    """

    pools: ClassVar[bool] = True
    start: float | None = None

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        settings: dict[str, Any] = {"num_labels": 1, "problem_type": "regression"}
        settings |= {"id2label": {0: "value"}, "label2id": {"value": 0}}
        model = load_model(
            AutoModelForSequenceClassification, folder, settings=settings, trained=trained
        )
        is_new = not trained and not take_rows(model, folder)
        if is_new and self.start is not None:
            last = [one for one in model.modules() if isinstance(one, nn.Linear)][-1]
            assert last.out_features == 1
            assert last.bias is not None
            nn.init.constant_(last.bias, self.start)
        return model

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        return torch.tensor([one.target for one in encoded], dtype=torch.float32)  # [B]

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        return functional.mse_loss(output.logits.float()[:, 0], targets, reduction="sum")

    def count(self, targets: torch.Tensor) -> float:
        return float(len(targets))

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return list(output.logits.float().cpu().numpy())
