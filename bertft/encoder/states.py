"""Texts as states that an encoder gave them before: the head of a model works on these alone.

    model -> take_states: it can be called with ``states`` in the place of texts
    Encoded -> StateBatcher -> Batch with ``states`` -> model -> logits, the encoder not asked

A StateBatcher stands where a Packer or Padder stands, so that the loop and the dev scores do not
know the difference.

Shape legend: R rows of all texts (a text has one, or one per token), B sequences, T rows of a
batch, H hidden width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutputWithPooling

from bertft.contracts import Batch, Batcher, Encoded, FloatArray, Head, Readout
from bertft.encoder.attention import plan_groups
from bertft.encoder.packing import SAME, trial_logits, trial_texts
from bertft.errors import ModelError

Places = Mapping[bytes, slice]
"""Key of a text -> its rows."""


@dataclass(frozen=True, slots=True)
class StateBatcher:
    """Looks up the rows [R, H] of each text.

    ``pools``: a text has the one row that its head reads, else one for each of its tokens.
    """

    states: FloatArray
    places: Places
    pools: bool

    def __call__(
        self,
        encoded: Sequence[Encoded] | Mapping[int, Encoded],
        indices: Sequence[int],
        *,
        head: Head | None,
    ) -> Batch:
        order = sorted(indices, key=lambda index: (len(encoded[index]), index))
        chosen = [encoded[index] for index in order]
        parts = [self.states[self.places[text_key(one)]] for one in chosen]
        rows = torch.from_numpy(np.concatenate(parts))  # [T, H]
        lengths = [len(part) for part in parts]
        inputs: dict[str, Any] = {"states": rows[:, None]}  # [B, 1, H]
        if not self.pools:
            inputs = {"states": rows[None], "packing": plan_groups(lengths)}  # [1, T, H]
        targets = head.targets(chosen, length=None) if head is not None else None
        return Batch(inputs, targets, lengths, order)


def text_key(one: Encoded) -> bytes:
    """Equal for texts that an encoder cannot tell apart."""
    digest = hashlib.blake2b(np.asarray(one.input_ids, dtype="<i4").tobytes(), digest_size=16)
    digest.update(b"types" + np.asarray(one.token_type_ids, dtype="<i4").tobytes())
    return digest.digest()


def rows_in_order(encoded: Iterable[Encoded], *, pools: bool) -> tuple[list[Encoded], Places]:
    """Each different text once, by length and then key, and its rows in that order.

    The order depends on nothing but which texts there are.
    """
    keyed = {text_key(one): one for one in encoded}
    keys = sorted(keyed, key=lambda key: (len(keyed[key]), key))
    places, row = {}, 0
    for key in keys:
        end = row + (1 if pools else len(keyed[key]))
        places[key] = slice(row, end)
        row = end
    return [keyed[key] for key in keys], places


def take_states(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    head: Head,
    batcher: Batcher,
    readout: Readout,
) -> None:
    """Let the model be called with ``states`` [B, 1, H] or [1, T, H]: they stand for what its
    encoder makes of texts, ``readout``, so that its pooler and head alone are computed.

    Raises:
        ModelError: a trial shows that it does not answer as it does from texts. Its head reads
            more, or it pools in a way of its own (ALBERT).
    """
    base: Any = model.base_model
    encode, pooler = base.forward, getattr(base, "pooler", None)

    def forward(*arguments: Any, states: torch.Tensor | None = None, **settings: Any) -> Any:
        # (``**settings`` is theirs: what a model hands to its encoder.)
        if states is None:
            return encode(*arguments, **settings)
        pooled = None if pooler is None else pooler(states)
        return BaseModelOutputWithPooling(last_hidden_state=states, pooler_output=pooled)

    base.forward = forward
    was_training = model.training
    model.train(False)
    trial = trial_texts(model, tokenizer)
    with torch.inference_mode():
        expected = trial_logits(model, batcher, trial, head)
        states = trial_logits(base, batcher, trial, readout)
        try:
            batcher_of = StateBatcher(*joined_states(trial, states, pools=head.pools), head.pools)
            found = trial_logits(model, batcher_of, trial, head)
        except Exception:  # a head that wants more may fail in any way
            found = []
    model.train(was_training)
    pairs = list(zip(expected, found, strict=False))
    if not pairs or any(a.shape != b.shape or float((a - b).abs().max()) >= SAME for a, b in pairs):
        what = f"{type(model).__name__} does not answer from its encoder's last states alone"
        raise ModelError(what, hint="--set training.mode=fine-tune, or choose another encoder")


def joined_states(
    trial: Sequence[Encoded], states: Sequence[torch.Tensor], *, pools: bool
) -> tuple[FloatArray, Places]:
    """States [R, H] of all texts, from those of each: [H], or [L, H]."""
    texts, places = rows_in_order(trial, pools=pools)
    pairs = zip(trial, states, strict=True)
    rows = {text_key(one): state.reshape(-1, state.shape[-1]) for one, state in pairs}
    joined = torch.cat([rows[text_key(one)] for one in texts])  # [R, H]
    return joined.numpy(), places
