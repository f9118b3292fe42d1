"""Hidden states instead of a task: ``AutoModel``, read per token or pooled to one vector.

Layer 0 is the output of the embedding layer, layer n that of the n-th encoder layer, counted as
transformers counts ``output_hidden_states``.

Shape legend: B sequences, L tokens of one, T of all, n layers asked for, H hidden width, W width
of what is read: H, or n * H where layers are joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from transformers import AutoModel, PreTrainedModel

from bertft.contracts import Batch, FloatArray, Head, Readout
from bertft.encoder.load import Part, load_model

Combine = Literal["none", "mean", "concat"]
TokenPooling = Literal["none", "first", "mean", "max"]


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """States of some layers, of every token or pooled over all tokens, special ones included.

    ``layers`` None is the last one. ``combine`` says what becomes of several: all of them
    [n, H], their mean [H], or one after the other [n * H].
    """

    pools: ClassVar[bool] = False
    layers: tuple[int, ...] | None = None
    combine: Combine = "none"
    pooling: TokenPooling = "none"

    def build(self, folder: Path) -> PreTrainedModel:
        settings = {} if self.layers is None else {"output_hidden_states": True}
        return load_model(AutoModel, folder, settings=settings)

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        """[W] or [n, H] for each sequence; [L, W] or [L, n, H] where nothing is pooled."""
        rows = rows_of(self._states(output), batch)
        if self.pooling == "none":
            return [row.cpu().numpy() for row in rows]
        if self.pooling == "first":
            pooled = [row[0] for row in rows]
        elif self.pooling == "mean":
            pooled = [row.mean(dim=0) for row in rows]
        else:
            pooled = [row.amax(dim=0) for row in rows]
        return list(torch.stack(pooled).cpu().numpy())

    def _states(self, output: Any) -> torch.Tensor:
        """The chosen layers, combined: as the batch is laid out, then [W] or [n, H]."""
        if self.layers is None:
            last: torch.Tensor = output.last_hidden_state
            return last.float()
        chosen: list[torch.Tensor]
        chosen = [output.hidden_states[layer].float() for layer in self.layers]
        if len(chosen) == 1:
            return chosen[0]
        if self.combine == "concat":
            return torch.cat(chosen, dim=-1)  # [..., n * H]
        stacked = torch.stack(chosen, dim=-2)  # [..., n, H]
        return stacked.mean(dim=-2) if self.combine == "mean" else stacked


@dataclass(frozen=True, slots=True)
class FirstStates:
    """The last state [H] of each sequence's first token, which the head of a text reads."""

    pools: ClassVar[bool] = True

    def build(self, folder: Path) -> PreTrainedModel:
        return load_model(AutoModel, folder, settings={})

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return list(output.last_hidden_state[:, 0].float().cpu().numpy())  # [B, H]


@dataclass(frozen=True, slots=True)
class PoolerOutput:
    """The pooler's vector [H] of each sequence: tanh(W h + b) of the first token's last state.

    It is refused for encoders without a pooler, and for weights that do not hold it: it would be
    random. ``model`` is the name that the refusal says.
    """

    model: str
    pools: ClassVar[bool] = True

    def build(self, folder: Path) -> PreTrainedModel:
        needed = Part(self.model, "pooler", "use --pooling cls_before_pooler, mean or max")
        model = load_model(AutoModel, folder, settings={}, needed=needed)
        if getattr(model, "pooler", None) is None:
            raise needed.missing()
        return model

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return list(output.pooler_output.float().cpu().numpy())  # [B, H]


def states_read_by(head: Head) -> Readout:
    """The last states that a task's head reads: the first token's, or every token's."""
    return FirstStates() if head.pools else HiddenStates()


def rows_of(values: torch.Tensor, batch: Batch) -> list[torch.Tensor]:
    """Padded [B, longest, ...] or packed [1, T, ...] values as one tensor [L, ...] per sequence."""
    if "packing" in batch.inputs:
        return list(torch.split(values[0], batch.lengths))
    return [row[:length] for row, length in zip(values, batch.lengths, strict=True)]
