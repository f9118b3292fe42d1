"""The learning heads of pre-training: masked tokens, and with ``pairs`` next sentences too.

Unlike heads/pretraining.py, which reads them, they may be made anew where the weights lack them.

Shape legend: B sequences, M masked tokens of a batch, L tokens of one sequence, V vocabulary,
H hidden width, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import safe_open
from torch.nn import functional
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, PreTrainedModel

from bertft.contracts import Batch, Encoded, FloatArray
from bertft.encoder.load import load_model, read_config
from bertft.errors import ModelError

NO_PAIR = -1
"""Targets below 0 are those of pairs: -1 where the second text follows, -2 where it is random, -3
where there is no second text."""
SINGLE = 2


@dataclass(frozen=True, slots=True)
class PretrainingHead:
    """``BertForPreTraining``; without ``pairs`` and a head for them, a masked language model.

    The loss is that of Devlin et al. (2019, NAACL, appendix A.2): the mean cross-entropy of masked
    tokens plus that of pairs. The vocabulary is large: a hook hands the head only the states of
    masked tokens, so that a batch costs M x V values and not T x V.
    """

    pairs: bool = True
    pools: ClassVar[bool] = False  # its own hook pools

    def build(self, folder: Path, *, trained: bool = False) -> PreTrainedModel:
        """The model; its output layer shares the weights of the word embeddings.

        Raises:
            ModelError: pairs are to be learned, and the family is not BERT.
        """
        model = load_model(_kind(folder, pairs=self.pairs), folder, settings={}, trained=trained)
        model.base_model.register_forward_hook(_keep_masked, with_kwargs=True)
        return model

    def targets(self, encoded: Sequence[Encoded], *, length: int | None) -> torch.Tensor:
        """[B + M] or, without pairs, [M]: NO_PAIR minus the pair's class, then masked tokens."""
        kinds = [one.target if isinstance(one.target, int) else SINGLE for one in encoded]
        tokens = [token for one in encoded if one.masked for token in one.masked.tokens]
        return torch.tensor([NO_PAIR - kind for kind in kinds if self.pairs] + tokens)

    def loss(self, output: Any, targets: torch.Tensor) -> torch.Tensor:
        """[2], of tokens and of pairs; without pairs [1]."""
        tokens, pairs = targets[targets >= 0], NO_PAIR - targets[targets < 0]
        losses = [functional.cross_entropy(_logits(output).float(), tokens, reduction="sum")]
        if self.pairs:
            logits = output.seq_relationship_logits.float()  # [B, 2]
            losses.append(
                functional.cross_entropy(logits, pairs, reduction="sum", ignore_index=SINGLE)
            )
        return torch.stack(losses)

    def count(self, targets: torch.Tensor) -> torch.Tensor:
        """[2], of masked tokens and of pairs; without pairs [1]."""
        tokens = (targets >= 0).sum()
        pairs = ((targets < 0) & (targets > NO_PAIR - SINGLE)).sum()
        return torch.stack([tokens, pairs]) if self.pairs else tokens[None]

    def split(self, output: Any, batch: Batch) -> list[FloatArray]:
        """[L, 2] for each sequence: row 0 the pair's logits (0 without), and where a token was
        masked (never the first) its log probability, and 1 where it is the most probable one.

        Without masked tokens, their logits at the first token, [1, V], or [1, V + 2] with pairs.
        """
        rows = _logits(output).float()  # [M, V]
        pairs = output.seq_relationship_logits.float() if self.pairs else None  # [B, 2]
        if "masked" not in batch.inputs:
            both = rows if pairs is None else torch.cat([rows, pairs], dim=-1)
            return [one[None].cpu().numpy() for one in both]
        places, tokens = batch.inputs["masked"].to(rows.device).unbind(dim=1)
        likelihood = rows.log_softmax(dim=-1).gather(1, tokens[:, None])[:, 0]
        right = (rows.argmax(dim=-1) == tokens).float()
        height, width = batch.inputs["input_ids"].shape
        table = torch.zeros(height * width, 2, device=rows.device)
        table[places] = torch.stack([likelihood, right], dim=-1)
        parts = self._sequences(table, batch)
        if pairs is not None:
            for part, pair in zip(parts, pairs, strict=True):
                part[0] = pair
        return [part.cpu().numpy() for part in parts]

    def _sequences(self, table: torch.Tensor, batch: Batch) -> list[torch.Tensor]:
        """Rows of all places, padding among them -> [L, 2] of each sequence."""
        if "packing" in batch.inputs:
            return list(torch.split(table[: batch.tokens], batch.lengths))
        rows = table.view(len(batch.lengths), -1, 2)
        return [row[:length] for row, length in zip(rows, batch.lengths, strict=True)]


def _logits(output: Any) -> torch.Tensor:
    """[M, V] from the output of either class."""
    logits: torch.Tensor
    logits = output.prediction_logits if "prediction_logits" in output else output.logits
    return logits[0]


def _keep_masked(module: Any, arguments: Any, settings: dict[str, Any], output: Any) -> Any:
    """Forward hook: hidden states [B, L, H] -> those of masked tokens [1, M, H].

    Without ``masked`` those of first tokens [1, B, H]. A packed row is pooled at its first tokens.
    """
    hidden = output.last_hidden_state
    packing, masked = settings.get("packing"), settings.get("masked")
    flat = hidden.flatten(0, 1)
    first = hidden[:, 0] if packing is None else flat.index_select(0, packing.starts)  # [B, H]
    if packing is not None and getattr(output, "pooler_output", None) is not None:
        output.pooler_output = module.pooler(first[:, None])
    kept = first if masked is None else flat.index_select(0, masked[:, 0])
    output.last_hidden_state = kept[None]
    return output


def _kind(folder: Path, *, pairs: bool) -> Any:
    """The class to load: with a next-sentence head where it is learned, or there to be kept."""
    family = read_config(folder).model_type
    if pairs and family != "bert":
        hint = "leave next sentences out with --no-nsp"
        raise ModelError(f"{folder}: {family} models have no next-sentence head", hint=hint)
    kept = family == "bert" and any("seq_relationship" in name for name in _names(folder))
    return AutoModelForPreTraining if pairs or kept else AutoModelForMaskedLM


def new_parts(folder: Path, *, pairs: bool) -> list[str]:
    """Names of the heads that the weights of ``folder`` lack, and that are then made anew."""
    kind = _kind(folder, pairs=pairs)
    config = read_config(folder)
    with torch.device("meta"):  # names alone
        model = kind.from_config(config)
    names = {name for name, _ in model.named_parameters()}
    own = {name for name in names if not name.startswith(f"{model.base_model_prefix}.")}
    missing = own - _names(folder)
    heads = {
        "masked-LM head": any("seq_relationship" not in name for name in missing),
        "next-sentence head": any("seq_relationship" in name for name in missing),
    }
    return [name for name, lacks in heads.items() if lacks]


def _names(folder: Path) -> set[str]:
    """Names of all tensors in a folder's safetensors, old LayerNorm names put right."""
    found: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found |= set(file.keys())
    return {name.replace(".gamma", ".weight").replace(".beta", ".bias") for name in found}
