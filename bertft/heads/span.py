"""The span head, ``AutoModelForQuestionAnswering``: a start and an end logit per token.

The start vector S and the end vector E of Devlin et al. 2019 (section 4.2) are the two rows of the
model's last layer: P(start = i) = softmax over the passage of S . T_i. [CLS], the first token,
takes part as the place of "no answer in this window" (section 4.3).

Shape legend: B sequences, L longest length, T tokens of all sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoModelForQuestionAnswering, PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.encoder.load import load_model
from bertft.encoder.pieces import passage_of
from bertft.heads.token import split_tokens


@dataclass(frozen=True, slots=True)
class SpanHead:
    """Mean of the cross-entropies of start and end, softmax over passage and [CLS]."""

    pools: ClassVar[bool] = False

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        return load_model(
            AutoModelForQuestionAnswering, folder, settings={"num_labels": 2}, trained=trained
        )

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        """[B, 5]: start, end, first and last token of the passage, length of the sequence."""
        rows = []
        for one in encoded:
            assert isinstance(one.target, tuple)
            rows.append([*one.target, *passage_of(one), len(one)])
        return torch.tensor(rows)

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        start, end, first, last, lengths = targets.unbind(dim=1)  # [B] each
        logits = torch.stack([output.start_logits, output.end_logits], dim=-1).float()
        places = torch.arange(int(lengths.max()), device=targets.device)  # [L]
        if logits.shape[:2] != (len(targets), len(places)):  # packed: [1, T, 2]
            rows = (lengths.cumsum(0) - lengths)[:, None] + places  # [B, L]
            logits = logits[0][rows.clamp(max=logits.shape[1] - 1)]
        allowed = (places >= first[:, None]) & (places <= last[:, None]) | (places == 0)  # [B, L]
        logits = logits.masked_fill(~allowed[:, :, None], torch.finfo(logits.dtype).min)
        chosen = torch.stack([start, end], dim=-1)[:, None]  # [B, 1, 2]
        return -logits.log_softmax(dim=1).gather(1, chosen).sum() / 2

    def count(self, targets: torch.Tensor) -> float:
        return float(len(targets))

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        """[length, 2] per sequence: start and end logits."""
        return split_tokens(torch.stack([output.start_logits, output.end_logits], dim=-1), batch)
