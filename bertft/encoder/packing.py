"""Batches: Encoded go in, the tensors of one forward pass come out.

``Packer`` lays all sequences end to end in one row without padding; ``Padder`` pads them to the
longest. ``choose_batcher`` packs where a trial shows that the model computes the same either way.

Shape legend: B sequences, L longest length, T tokens of all sequences, H hidden width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bertft.contracts import Batch, Batcher, Encoded, Head, Readout
from bertft.encoder.attention import NAME, plan_groups
from bertft.encoder.last_layer import read_first_tokens

SAME = 1e-4
"""Largest difference of float32 logits between packed and padded that counts as rounding."""


@dataclass(frozen=True, slots=True)
class Padder:
    """Pads the sequences of a batch to the longest of them."""

    pad_id: int
    pad_type_id: int

    def __call__(
        self,
        encoded: Sequence[Encoded] | Mapping[int, Encoded],
        indices: Sequence[int],
        *,
        head: Head | None,
    ) -> Batch:
        chosen = [encoded[index] for index in indices]
        lengths = [len(one) for one in chosen]
        longest = max(lengths)
        mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()  # [B, L]
        inputs = {
            "input_ids": self._pad([one.input_ids for one in chosen], longest, self.pad_id),
            "attention_mask": mask,
        }
        if chosen[0].token_type_ids:
            types = [one.token_type_ids for one in chosen]
            inputs["token_type_ids"] = self._pad(types, longest, self.pad_type_id)
        starts = range(0, longest * len(chosen), longest)
        inputs |= _masked(chosen, starts)
        targets = head.targets(chosen, length=longest) if head is not None else None
        return Batch(inputs, targets, lengths, list(indices))

    @staticmethod
    def _pad(rows: Sequence[Sequence[int]], longest: int, fill: int) -> torch.Tensor:
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])  # [B, L]


@dataclass(frozen=True, slots=True)
class Packer:
    """Lays the sequences of a batch end to end, shortest first, in one row of T tokens.

    A row to learn from, which has a head's targets, is filled up to a length that others have, too:
    a product costs more where its shape is new.

    ``first_position`` is the position id of a sequence's first token: 0, or pad_token_id + 1 for
    RoBERTa's descendants. What fills up is in no sequence, so that nothing sees it.
    """

    first_position: int
    pad_id: int

    def __call__(
        self,
        encoded: Sequence[Encoded] | Mapping[int, Encoded],
        indices: Sequence[int],
        *,
        head: Head | None,
    ) -> Batch:
        order = sorted(indices, key=lambda index: (len(encoded[index]), index))
        chosen = [encoded[index] for index in order]
        lengths = [len(one) for one in chosen]
        first = self.first_position
        learns = head is not None
        more = row_length(sum(lengths)) - sum(lengths) if learns else 0
        positions = [range(first, first + length) for length in lengths]
        inputs: dict[str, Any] = {
            "input_ids": self._join([one.input_ids for one in chosen], [self.pad_id] * more),
            "position_ids": self._join(positions, [first] * more),
            "packing": plan_groups(lengths, learns=learns),
        }
        if chosen[0].token_type_ids:
            inputs["token_type_ids"] = self._join([o.token_type_ids for o in chosen], [0] * more)
        inputs |= _masked(chosen, accumulate(lengths[:-1], initial=0))
        targets = head.targets(chosen, length=None) if head is not None else None
        return Batch(inputs, targets, lengths, order)

    @staticmethod
    def _join(rows: Sequence[Sequence[int]], more: Sequence[int]) -> torch.Tensor:
        return torch.tensor([*chain.from_iterable(rows), *more])[None]  # [1, T]


def row_length(tokens: int) -> int:
    """Tokens of a row that is filled up: a multiple of 16, or at most a sixteenth more."""
    step = 1 << max(4, tokens.bit_length() - 5)
    return -(-tokens // step) * step


def _masked(chosen: Sequence[Encoded], starts: Iterable[int]) -> dict[str, torch.Tensor]:
    """``masked`` [M, 2] of inputs with masked tokens: flat place in the batch, what stood there."""
    hidden = [one.masked for one in chosen if one.masked is not None]
    if len(hidden) < len(chosen):
        return {}
    rows = [
        (start + place, token)
        for start, masked in zip(starts, hidden, strict=True)
        for place, token in zip(masked.places, masked.tokens, strict=True)
    ]
    return {"masked": torch.tensor(rows, dtype=torch.int64).reshape(-1, 2)}


def choose_batcher(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, head: Readout
) -> Batcher:
    """A Packer if the model gives the same logits packed as padded, else a Padder.

    Some architectures ignore registered attention functions (DeBERTa) or pool in a way of their
    own (ALBERT), without an error: so a trial decides, not a list of names. The model is left set
    up for what is returned.
    """
    assert isinstance(tokenizer.pad_token_id, int)
    padder = Padder(tokenizer.pad_token_id, tokenizer.pad_token_type_id)
    was_training = model.training
    model.train(False)
    trial = trial_texts(model, tokenizer)
    with torch.inference_mode():
        expected = trial_logits(model, padder, trial[:-1], head)
        # The long text by itself: to pad the others to it would be most of the trial's work.
        expected += trial_logits(model, padder, trial[-1:], head)
        pad_id = tokenizer.pad_token_id
        for packer in (Packer(0, pad_id), Packer(pad_id + 1, pad_id)):
            if _packs(model, packer, trial, head, expected):
                model.train(was_training)
                return packer
    model.train(was_training)
    return padder


def _packs(
    model: PreTrainedModel,
    packer: Packer,
    trial: Sequence[Encoded],
    head: Readout,
    expected: list[torch.Tensor],
) -> bool:
    """Set the model up for packing and try it; everything is set back when the logits differ."""
    before = model.config._attn_implementation
    # A head may have a hook of its own, which finds the real tokens alone.
    hooks = [model.base_model.register_forward_hook(_strip, with_kwargs=True, prepend=True)]
    if head.pools:
        hooks.append(model.base_model.register_forward_hook(_pool, with_kwargs=True))
    if head.pools and (last := read_first_tokens(model)):
        if _answers(model, packer, trial, head, expected):
            return True
        last.remove()
    if _answers(model, packer, trial, head, expected):
        return True
    for hook in hooks:
        hook.remove()
    model.set_attn_implementation(before)
    return False


def _answers(
    model: PreTrainedModel,
    packer: Packer,
    trial: Sequence[Encoded],
    head: Readout,
    expected: list[torch.Tensor],
) -> bool:
    """Whether the logits of packed rows are the expected ones."""
    try:
        model.set_attn_implementation(NAME)
        found = trial_logits(model, packer, trial, head)
    except Exception:  # an architecture that cannot take packed rows may fail in any way
        return False
    pairs = zip(expected, found, strict=True)
    return all(a.shape == b.shape and float((a - b).abs().max()) < SAME for a, b in pairs)


def _strip(module: Any, arguments: Any, settings: dict[str, Any], output: Any) -> Any:
    """Forward hook: states of the row [1, T, H] without what fills it up."""
    packing = settings.get("packing")
    if packing is not None:
        output.last_hidden_state = packing.real(output.last_hidden_state)
        if getattr(output, "hidden_states", None) is not None:
            output.hidden_states = tuple(map(packing.real, output.hidden_states))
    return output


def _pool(module: Any, arguments: Any, settings: dict[str, Any], output: Any) -> Any:
    """Forward hook: hidden states [1, T, H] -> [B, 1, H], as a head expects them: first tokens, or
    the means of all where the model says so (ModernBERT)."""
    packing = settings.get("packing")
    if packing is None:
        return output
    states = output.last_hidden_state[0]
    if getattr(module.config, "classifier_pooling", "") == "mean":
        lengths = torch.diff(packing.starts, append=packing.starts.new_tensor([len(states)]))
        means = torch.segment_reduce(states, "mean", lengths=lengths)
        output.last_hidden_state = means[:, None]  # [B, 1, H]
        return output
    if len(states) != len(packing.starts):  # else the last layer has computed no others
        states = states.index_select(0, packing.starts)
    first = states[:, None]  # [B, 1, H]
    output.last_hidden_state = first
    if getattr(output, "pooler_output", None) is not None:
        output.pooler_output = module.pooler(first)
    return output


def trial_texts(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[Encoded]:
    """A few sequences of random tokens; the random state of training is left alone.

    The last is long, because some models (ModernBERT) attend locally, which shows in long texts
    only.
    """
    generator = torch.Generator().manual_seed(0)
    special = set(tokenizer.all_special_ids)
    usable = [i for i in range(min(int(model.config.vocab_size), 2000)) if i not in special]
    rows: list[Encoded] = []
    longest = min(200, int(getattr(model.config, "max_position_embeddings", 200)) - 2)
    for length in (5, 9, 7, longest):
        drawn = torch.randint(len(usable), (length,), generator=generator).tolist()
        types = [0] * length if "token_type_ids" in tokenizer.model_input_names else []
        ids = [usable[i] for i in drawn]
        if isinstance(tokenizer.mask_token_id, int):  # some heads answer for masked tokens only
            ids[length // 2] = tokenizer.mask_token_id
        rows.append(Encoded(ids, types, len(rows)))
    return rows


def trial_logits(
    model: PreTrainedModel, batcher: Batcher, trial: Sequence[Encoded], head: Readout
) -> list[torch.Tensor]:
    """Logits of the trial in its own order."""
    batch = batcher(trial, range(len(trial)), head=None)
    rows = head.split(model(**batch.on(model.device)), batch)
    found = dict(zip(batch.encoded, rows, strict=True))
    return [torch.from_numpy(found[index]) for index in range(len(trial))]
