"""Batches: Encoded go in, tensors padded to the longest of the batch come out.

Shape legend: B sequences, L longest length in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from bertft.contracts import Batch, Encoded, Head


@dataclass(frozen=True, slots=True)
class Padder:
    """Makes one Batch of several Encoded. ``head`` adds the targets; None when there is no gold."""

    pad_id: int
    pad_type_id: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Padder:
        assert isinstance(tokenizer.pad_token_id, int)
        return cls(tokenizer.pad_token_id, tokenizer.pad_token_type_id)

    def __call__(
        self, encoded: Sequence[Encoded], indices: Sequence[int], *, head: Head | None
    ) -> Batch:
        chosen = [encoded[index] for index in indices]
        lengths = [len(one) for one in chosen]
        longest = max(lengths)
        columns = torch.arange(longest)
        mask = (columns < torch.tensor(lengths)[:, None]).long()  # [B, L]
        inputs = {
            "input_ids": self._pad([one.input_ids for one in chosen], longest, self.pad_id),
            "attention_mask": mask,
        }
        if chosen[0].token_type_ids:
            types = [one.token_type_ids for one in chosen]
            inputs["token_type_ids"] = self._pad(types, longest, self.pad_type_id)
        targets = head.targets(chosen, length=longest) if head is not None else None
        return Batch(inputs, targets, lengths, list(indices))

    @staticmethod
    def _pad(rows: list[list[int]], longest: int, fill: int) -> torch.Tensor:
        return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])  # [B, L]
