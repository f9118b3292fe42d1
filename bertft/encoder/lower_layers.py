"""The lowest layers of an encoder that stays as it is there: computed once for each text.

    model -> LowerLayers: what those layers make of texts, and nothing above is computed
    model -> stand_in_for_lower: it can be called with ``states``, which take their place
    Encoded -> UpperBatcher -> Batch with ``states`` -> model -> logits

Packed rows only. In the lowest layers nothing is dropped, so that these states are all that the
layers above ever see of them, in training too.

Shape legend: R rows of all texts, one per token; T rows of a batch, H hidden width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput

from bertft.contracts import Batch, Encoded, FloatArray, Head, Readout
from bertft.encoder.last_layer import layers_of
from bertft.encoder.norms import halved
from bertft.encoder.packing import SAME, Packer, trial_logits, trial_texts
from bertft.encoder.states import Places, joined_states, text_key


class LowerLayers(nn.Module):
    """The embeddings and the lowest ``count`` layers of a model; their states come out."""

    def __init__(self, model: PreTrainedModel, *, count: int) -> None:
        super().__init__()
        self.base = model.base_model
        self.device = model.device
        layers = layers_of(model)
        assert layers is not None
        self._top = [layers[count - 1]]  # in a list: it is a module of the base already

    def forward(self, **inputs: Any) -> BaseModelOutput:
        hook = self._top[0].register_forward_hook(_reached)
        try:
            self.base(**inputs)
        except _Reached as reached:
            return BaseModelOutput(last_hidden_state=inputs["packing"].real(reached.states))
        finally:
            hook.remove()
        raise AssertionError("the layer was not called")


class _Reached(Exception):  # noqa: N818 - it ends a forward pass early, and is no error
    def __init__(self, states: Any) -> None:
        super().__init__()
        self.states = states


def _reached(module: Any, arguments: Any, output: Any) -> None:
    raise _Reached(output)


@dataclass(frozen=True, slots=True)
class UpperBatcher:
    """Adds the rows [R, H] of each text to what ``packer`` makes."""

    packer: Packer
    states: FloatArray
    places: Places

    def __call__(
        self,
        encoded: Sequence[Encoded] | Mapping[int, Encoded],
        indices: Sequence[int],
        *,
        head: Head | None,
    ) -> Batch:
        batch = self.packer(encoded, indices, head=head)
        parts = [self.states[self.places[text_key(encoded[index])]] for index in batch.encoded]
        more = batch.inputs["input_ids"].shape[1] - sum(map(len, parts))
        parts.append(np.zeros((more, self.states.shape[1]), self.states.dtype))
        states = torch.from_numpy(np.concatenate(parts))[None]  # [1, T, H]
        return replace(batch, inputs=batch.inputs | {"states": states})


def stand_in_for_lower(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    count: int,
    head: Head,
    packer: Packer,
    readout: Readout,
) -> bool:
    """Let the model be called with ``states`` [1, T, H] that stand for its lowest ``count`` layers.

    ``readout`` reads the state of every token. False, and nothing has changed, where a trial shows
    that the model does not answer as it does from texts.
    """
    base: Any = model.base_model
    layers, embeddings = layers_of(model), getattr(base, "embeddings", None)
    if layers is None or embeddings is None or not 0 < count < len(layers):
        return False
    was_training = model.training
    model.train(False)
    trial = trial_texts(model, tokenizer)
    with torch.inference_mode():
        expected = trial_logits(model, packer, trial, head)
        patched = _patch(base, embeddings, list(layers[:count]))
        try:
            part: Any = LowerLayers(model, count=count)
            lower = trial_logits(part, packer, trial, readout)
            batcher = UpperBatcher(packer, *joined_states(trial, lower, pools=False))
            found = trial_logits(model, batcher, trial, head)
        except Exception:  # an architecture of its own may fail in any way
            found = []
    model.train(was_training)
    pairs = list(zip(expected, found, strict=False))
    if pairs and all(a.shape == b.shape and float((a - b).abs().max()) < SAME for a, b in pairs):
        return True
    for module in patched:
        del module.forward  # that of its class is left
    return False


def _patch(base: Any, embeddings: Any, lower: Sequence[Any]) -> list[Any]:
    """Let ``states`` be the embeddings, and the lower layers pass them on; the modules changed."""
    given: list[torch.Tensor] = []
    encode, embed = base.forward, embeddings.forward

    def forward(*arguments: Any, states: torch.Tensor | None = None, **settings: Any) -> Any:
        # (``**settings`` is theirs: what a model hands to its encoder.)
        if states is None:
            return encode(*arguments, **settings)
        given.append(halved(states))
        try:
            return encode(*arguments, **settings)
        finally:
            given.clear()

    def embedded(*arguments: Any, **settings: Any) -> Any:
        return given[0] if given else embed(*arguments, **settings)

    def passing(compute: Any) -> Any:
        def passed(states: torch.Tensor, *arguments: Any, **settings: Any) -> Any:
            return states if given else compute(states, *arguments, **settings)

        return passed

    base.forward, embeddings.forward = forward, embedded
    for layer in lower:
        layer.forward = passing(layer.forward)
    return [base, embeddings, *lower]
