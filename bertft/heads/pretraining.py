"""The heads of pre-training, as their checkpoints carry them: masked tokens and next sentences.

Both are read only; a checkpoint that lacks the head is refused, since a new one would be random.

Shape legend: B sequences, M masked tokens of a batch, m of one sequence, V vocabulary, H hidden
width, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoModelForMaskedLM, AutoModelForNextSentencePrediction, PreTrainedModel

from bertft.contracts import Batch, FloatArray, Target
from bertft.encoder.load import Part, load_model

EXAMPLES = {
    "masked-LM head": (
        "bert-base-uncased", "roberta-base", "distilbert-base-uncased",
        "bert-base-multilingual-cased", "klue-bert-base",
    ),
    "next-sentence head": ("bert-base-uncased", "bert-base-cased", "bert-base-multilingual-cased"),
}  # fmt: skip
"""Names of the zoo whose published weights hold the head, for the hint where one is missing."""

Reduce = Callable[[torch.Tensor, int], torch.Tensor]
"""Log probabilities [m, V] of a sequence's masked tokens, and its number: what is kept of them."""


def keep_all(rows: torch.Tensor, number: int) -> torch.Tensor:
    """Every log probability [m, V]."""
    return rows


def most_probable(count: int, *, among: Sequence[Target] = ()) -> Reduce:
    """The ``count`` most probable tokens of each masked one [m, count, 2]: log probability, id.

    ``among`` has for each sequence the ids of the tokens that are compared, or None.
    """

    def reduce(rows: torch.Tensor, number: int) -> torch.Tensor:
        wanted = among[number] if among else None
        ids = torch.arange(rows.shape[-1]) if wanted is None else torch.tensor(wanted)
        ids = ids.to(rows.device)
        values = rows if wanted is None else rows[:, ids]
        best = values.topk(min(count, len(ids)), dim=-1)
        return torch.stack([best.values, ids[best.indices].to(rows.dtype)], dim=-1)

    return reduce


def likelihood_of(wanted: Sequence[int]) -> Reduce:
    """The log probability [m] of the token that sequence ``number`` should have: ``wanted[it]``."""

    def reduce(rows: torch.Tensor, number: int) -> torch.Tensor:
        return rows[:, wanted[number]]

    return reduce


@dataclass(frozen=True, slots=True)
class MaskedTokens:
    """Log probabilities of the vocabulary at each mask, and nowhere else.

    The vocabulary is large: a hook hands the head only the states of masked tokens, so that a batch
    costs M x V values and not T x V.
    """

    model: str
    mask_id: int
    reduce: Reduce = keep_all
    pools: ClassVar[bool] = False

    def build(self, folder: Path) -> PreTrainedModel:
        needed = _needed(self.model, "masked-LM head")
        model = load_model(AutoModelForMaskedLM, folder, settings={}, needed=needed)
        model.base_model.register_forward_hook(self._keep_masks, with_kwargs=True)
        return model

    def _keep_masks(
        self, module: Any, arguments: Any, settings: dict[str, Any], output: Any
    ) -> Any:
        """Forward hook: hidden states [B, L, H] -> those of masked tokens [1, M, H]."""
        ids: Any = settings.get("input_ids", arguments[0] if arguments else None)
        hidden = output.last_hidden_state
        real = ids[:, : hidden.shape[1]]  # without what fills a packed row up
        output.last_hidden_state = hidden[real == self.mask_id][None]
        return output

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        rows = output.logits[0].float().log_softmax(dim=-1)  # [M, V]
        masks = batch.inputs["input_ids"] == self.mask_id
        if "packing" in batch.inputs:
            counts = [int(one.sum()) for one in masks[0, : batch.tokens].split(batch.lengths)]
        else:
            counts = masks.sum(dim=1).tolist()
        parts = zip(rows.split(counts), batch.encoded, strict=True)
        return [self.reduce(part, number).cpu().numpy() for part, number in parts]


@dataclass(frozen=True, slots=True)
class NextSentence:
    """Logits [2] of each pair: the second text follows the first, or was drawn at random."""

    model: str
    pools: ClassVar[bool] = True

    def build(self, folder: Path) -> PreTrainedModel:
        needed = _needed(self.model, "next-sentence head")
        return load_model(AutoModelForNextSentencePrediction, folder, settings={}, needed=needed)

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        return list(output.logits.float().cpu().numpy())  # [B, 2]


def _needed(model: str, what: str) -> Part:
    return Part(model, what, f"choose another model: {', '.join(EXAMPLES[what])}")
