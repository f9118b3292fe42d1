"""Supervised contrast: vectors of texts with one label are drawn together, those of others apart.

The loss of a text in a batch of others (Khosla et al. 2020, Supervised Contrastive Learning):

    -sum_j w_j log softmax_j(cos(x, x_j) / TEMPERATURE)

over all others j of the batch, where w_j is how far j has the labels of the text, in shares of 1.
SetFit (Tunstall et al. 2022) learns from pairs, one at a time; here a batch of B texts holds all
its B (B - 1) pairs.

Shape legend: B sequences in a batch, C labels, H hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.heads.sequence import SequenceHead

TEMPERATURE = 0.1
"""What cosines are divided by."""


@dataclass(frozen=True, slots=True)
class ContrastiveHead:
    """The head of a text while its encoder learns from pairs; its answers are those of ``head``.

    The loss is of what the bare encoder gives, not of logits.
    """

    pools: ClassVar[bool] = True
    head: SequenceHead

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        return self.head.build(folder, trained=trained)

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        return self.head.targets(encoded, length=length)

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        vectors = functional.normalize(output.last_hidden_state[:, 0].float(), dim=-1)  # [B, H]
        own = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        cosines = (vectors @ vectors.T / TEMPERATURE).masked_fill(own, -torch.inf)  # [B, B]
        chances = functional.log_softmax(cosines, dim=-1).masked_fill(own, 0.0)
        return -(self._shares(targets) * chances).sum()

    def count(self, targets: torch.Tensor) -> float:
        """Texts that share a label with another of the batch: the others have no loss."""
        return float((self._shares(targets).sum(dim=-1) > 0).sum())

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return self.head.split(output, batch)

    def _shares(self, targets: torch.Tensor) -> torch.Tensor:
        """[B, B] how alike the labels of two texts are, in shares of a row; 0 with itself.

        Alike are labels that both have among those that either has (Jaccard); for probabilities of
        labels, the smaller ones among the larger ones.
        """
        labels = targets.float()  # [B, C]
        if targets.ndim == 1:
            labels = functional.one_hot(targets, len(self.head.labels)).float()
        one, other = labels[:, None], labels[None]
        either = torch.maximum(one, other).sum(dim=-1)
        alike = torch.minimum(one, other).sum(dim=-1) / either.clamp(min=1e-9)  # [B, B]
        alike = alike.masked_fill(
            torch.eye(len(labels), dtype=torch.bool, device=alike.device), 0.0
        )
        total = alike.sum(dim=-1, keepdim=True)
        return torch.where(total > 0, alike / total.clamp(min=1e-9), 0.0)
