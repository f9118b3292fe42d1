"""The ranking head: one vector per text, the pooled states of ``AutoModel``; questions are drawn to
their passages.

The loss of a question in a batch is that of choosing its passage among all passages there, with s
the ``scale``:

    -log softmax_j(s cos(question, passage_j))[own]

(Henderson et al. 2017, Efficient Natural Language Response Suggestion for Smart Reply, 4.4; van den
Oord et al. 2018, Representation Learning with Contrastive Predictive Coding; sentence-transformers
calls it MultipleNegativesRankingLoss). A passage that stands in a batch several times is one; other
passages that answer the question are left out of its sum.

Shape legend: B sequences in a batch, Q questions and P passages of them, L tokens of one, T of all,
H hidden width, G passages that answer one question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.nn import functional
from transformers import AutoModel, PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.encoder.load import load_model
from bertft.encoder.sentence import Pooling

NONE = -1
"""In targets: no passage."""


@dataclass(frozen=True, slots=True)
class RankingHead:
    """A plain encoder; a hook pools its last states as sentence-transformers does."""

    pooling: Pooling = "mean"
    scale: float = 20.0
    pools: ClassVar[bool] = False  # its own hook pools

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        model = load_model(AutoModel, folder, settings={}, trained=trained)
        model.register_forward_hook(partial(_pool, pooling=self.pooling), with_kwargs=True)
        return model

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        """[B, 1 + G]: of a passage its number, then NONE; of a question NONE, then its passages."""
        rows = [
            [NONE, *one.target] if isinstance(one.target, list) else [one.target] for one in encoded
        ]
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[NONE] * (longest - len(row))] for row in rows])

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        vectors = unit_vectors(output)  # [B, H]
        asks = targets[:, 0] == NONE
        numbers, golds = targets[~asks, 0], targets[asks, 1:]  # [P], [Q, G]
        once = ~(numbers[:, None] == numbers).tril(-1).any(dim=1)  # [P]
        passages, numbers = vectors[~asks][once], numbers[once]
        logits = self.scale * vectors[asks] @ passages.T  # [Q, P]
        own = golds[:, :1] == numbers
        also = (golds[:, 1:, None] == numbers).any(dim=1) & ~own
        chances = functional.log_softmax(logits.masked_fill(also, -torch.inf), dim=-1)
        return -chances[own].sum()

    def count(self, targets: torch.Tensor) -> float:
        """Questions."""
        return float((targets[:, 0] == NONE).sum())

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        """[H] of each sequence, of length 1."""
        return list(unit_vectors(output).cpu().numpy())


def unit_vectors(output: Any) -> torch.Tensor:
    """[B, H] from the pooled output, of length 1."""
    return functional.normalize(output.last_hidden_state[:, 0].float(), dim=-1)


def _pool(
    module: Any, arguments: Any, settings: dict[str, Any], output: Any, *, pooling: Pooling
) -> Any:
    """Forward hook: hidden states [B, L, H], or those of a packed row [1, T, H], -> [B, 1, H]."""
    states = output.last_hidden_state.float()
    packing, mask = settings.get("packing"), settings.get("attention_mask")
    if packing is not None:
        pooled = _pooled_row(states[0], packing.starts, pooling)
    else:
        real = torch.ones(states.shape[:2], device=states.device) if mask is None else mask
        pooled = _pooled_rows(states, real.bool()[..., None], pooling)
    output.last_hidden_state = pooled[:, None]
    return output


def _pooled_row(states: torch.Tensor, starts: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """[T, H] of sequences that begin at ``starts`` [B] -> [B, H]."""
    if pooling == "cls_before_pooler":
        return states.index_select(0, starts)
    ends = torch.cat([starts[1:], starts.new_tensor([len(states)])])
    lengths = ends - starts
    if pooling == "max":
        parts = torch.split(states, lengths.tolist())
        return torch.stack([part.amax(dim=0) for part in parts])
    owner = torch.repeat_interleave(torch.arange(len(starts), device=states.device), lengths)
    sums = states.new_zeros(len(starts), states.shape[1]).index_add(0, owner, states)
    return sums / lengths[:, None]


def _pooled_rows(states: torch.Tensor, real: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """[B, L, H] with ``real`` tokens [B, L, 1] -> [B, H]."""
    if pooling == "cls_before_pooler":
        return states[:, 0]
    if pooling == "max":
        return states.masked_fill(~real, -torch.inf).amax(dim=1)
    return (states * real).sum(dim=1) / real.sum(dim=1)
