"""The token head, ``AutoModelForTokenClassification``: tag logits per piece.

Shape legend: B sequences, L padded length, T tokens of all sequences, C tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoModelForTokenClassification, PreTrainedModel

from bertft.contracts import IGNORED, Batch, Encoded, FloatArray
from bertft.encoder.load import load_model
from bertft.heads.inherited import take_rows


@dataclass(frozen=True, slots=True)
class TokenHead:
    """Softmax cross-entropy over C tags, for each piece whose target is not IGNORED.

    Where tags are probabilities p, the loss is KL(p || softmax), which is 0 for who gives them.
    """

    pools: ClassVar[bool] = False
    labels: tuple[str, ...]

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        settings = {
            "num_labels": len(self.labels),
            "id2label": dict(enumerate(self.labels)),
            "label2id": {name: index for index, name in enumerate(self.labels)},
            "problem_type": None,
        }
        model = load_model(
            AutoModelForTokenClassification, folder, settings=settings, trained=trained
        )
        if not trained:
            take_rows(model, folder)
        return model

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        """[1, T] or [B, L] tag ids; where any are probabilities [1, T, C] or [B, L, C], 0 for
        pieces that carry no tag."""
        if any(one.soft is not None for one in encoded):
            shares = [self._shares(one) for one in encoded]  # [length, C]
            if length is None:
                return torch.cat(shares)[None]  # [1, T, C]
            return torch.stack(
                [functional.pad(one, (0, 0, 0, length - len(one))) for one in shares]
            )  # [B, L, C]
        rows = [_tags(one) for one in encoded]
        if length is None:
            return torch.tensor([list(chain.from_iterable(rows))])  # [1, T]
        return torch.tensor([row + [IGNORED] * (length - len(row)) for row in rows])  # [B, L]

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        logits = output.logits.float().flatten(0, 1)  # [B * L, C] or [T, C]
        if targets.is_floating_point():
            chances = logits.log_softmax(dim=-1)
            return functional.kl_div(chances, targets.flatten(0, 1), reduction="sum")
        return functional.cross_entropy(
            logits, targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def count(self, targets: torch.Tensor) -> float:
        if targets.is_floating_point():
            return float((targets.sum(dim=-1) > 0).sum())
        return float((targets != IGNORED).sum())

    def _shares(self, one: Encoded) -> torch.Tensor:
        """[length, C] the probabilities of a sequence; 1 for the tag of one that has no others."""
        shares = torch.zeros(len(one), len(self.labels))
        if one.soft is not None:
            assert one.offsets is not None
            carrying = np.flatnonzero(one.offsets[:, 1] > one.offsets[:, 0])  # [U]
            shares[carrying] = torch.as_tensor(one.soft, dtype=torch.float32)
            return shares
        tags = torch.tensor(_tags(one))
        carrying_tag = tags != IGNORED
        shares[carrying_tag, tags[carrying_tag]] = 1
        return shares

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return split_tokens(output.logits, batch)


def split_tokens(logits: torch.Tensor, batch: Batch) -> list[FloatArray]:
    """Logits [B, L, C] or packed [1, T, C] as one float32 array [length, C] per sequence."""
    rows = logits.float().cpu()
    if len(rows) == 1:
        return [part.numpy() for part in torch.split(rows[0], batch.lengths)]
    return [row[:length].numpy() for row, length in zip(rows, batch.lengths, strict=True)]


def _tags(one: Encoded) -> list[int]:
    assert isinstance(one.target, list)
    return [int(tag) for tag in one.target]
