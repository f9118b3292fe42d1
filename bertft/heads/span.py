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
from torch.nn import functional
from transformers import AutoModelForQuestionAnswering, PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.encoder.load import load_model
from bertft.encoder.pieces import passage_of
from bertft.heads.token import split_tokens


@dataclass(frozen=True, slots=True)
class SpanHead:
    """Mean of the cross-entropies of start and end, softmax over passage and [CLS].

    Where places are probabilities p, it is the mean of KL(p || softmax) of start and of end, which
    is 0 for who gives them.
    """

    pools: ClassVar[bool] = False

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        return load_model(
            AutoModelForQuestionAnswering, folder, settings={"num_labels": 2}, trained=trained
        )

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        """[B, 5]: start, end, first and last token of the passage, length of the sequence.

        Where any are probabilities, float [B, 3 + 2 L]: first, last, length, then those of the
        start at each token, and those of the end.
        """
        if any(one.soft is not None for one in encoded):
            return _shares(encoded)
        rows = []
        for one in encoded:
            assert isinstance(one.target, tuple)
            rows.append([*one.target, *passage_of(one), len(one)])
        return torch.tensor(rows)

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        is_soft = targets.is_floating_point()
        bounds = targets[:, :3].long() if is_soft else targets[:, 2:]
        chances = _chances(output, *bounds.unbind(dim=1))  # [B, L, 2]
        if is_soft:
            shares = targets[:, 3:].reshape(len(targets), 2, -1).transpose(1, 2)  # [B, L, 2]
            return functional.kl_div(chances, shares, reduction="sum") / 2
        return -chances.gather(1, targets[:, None, :2]).sum() / 2

    def count(self, targets: torch.Tensor) -> float:
        return float(len(targets))

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        """[length, 2] per sequence: start and end logits."""
        return split_tokens(torch.stack([output.start_logits, output.end_logits], dim=-1), batch)


def _chances(
    output: Any, first: torch.Tensor, last: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """[B, L, 2] log probabilities of start and end; the passages are those from ``first`` to
    ``last`` [B]."""
    logits = torch.stack([output.start_logits, output.end_logits], dim=-1).float()
    places = torch.arange(int(lengths.max()), device=lengths.device)  # [L]
    if logits.shape[:2] != (len(lengths), len(places)):  # packed: [1, T, 2]
        rows = (lengths.cumsum(0) - lengths)[:, None] + places  # [B, L]
        logits = logits[0][rows.clamp(max=logits.shape[1] - 1)]
    allowed = (places >= first[:, None]) & (places <= last[:, None]) | (places == 0)  # [B, L]
    logits = logits.masked_fill(~allowed[:, :, None], torch.finfo(logits.dtype).min)
    return logits.log_softmax(dim=1)


def _shares(encoded: Sequence[Encoded]) -> torch.Tensor:
    """[B, 3 + 2 L] as ``SpanHead.targets`` gives probabilities; 1 at the places of who has none."""
    longest = max(map(len, encoded))
    rows = torch.zeros(len(encoded), 3 + 2 * longest)
    for row, one in zip(rows, encoded, strict=True):
        first, last = passage_of(one)
        row[:3] = torch.tensor([first, last, len(one)])
        sides = row[3:].view(2, longest)  # [2, L]
        if one.soft is None:
            assert isinstance(one.target, tuple)
            sides[[0, 1], list(one.target)] = 1
            continue
        soft = torch.as_tensor(one.soft, dtype=torch.float32).T  # [2, 1 + P]
        sides[:, 0] = soft[:, 0]
        sides[:, first : last + 1] = soft[:, 1:]
    return rows
