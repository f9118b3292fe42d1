"""The last layer of a head, fitted at once: logistic regression on what the layer reads.

    model -> pass_states_on -> without_last_layer -> fit_last_layer -> the model answers

It is the head's own loss, with a penalty on the layer's weights, at its minimum (L-BFGS): no steps,
no learning rate, nothing drawn.

Shape legend: N texts, C labels, H hidden width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from bertft.contracts import FloatArray, Head
from bertft.heads.inherited import last_layer

PENALTY = 1 / 32
"""Of half the squared weights, for vectors of length 1, beside the summed loss of all texts."""
ITERATIONS = 200
SMALL = 0.05
"""Factor of states before a tanh, which leaves small values nearly as they are."""
NEAR = 0.01
"""Largest difference of a trial from states times SMALL, whose deviation is SMALL."""


def pass_states_on(model: PreTrainedModel) -> bool:
    """Let the layer between encoder and last layer (BERT's pooler) give the states as they are.

    It was trained for something else, or never, and a few texts cannot make up for that. A trial
    decides; False, and nothing has changed, where the layer is of another kind.
    """
    between = _layer_between(model)
    if between is None:
        return False
    before = {name: value.clone() for name, value in between.state_dict().items()}
    with torch.no_grad():
        between.weight.copy_(SMALL * torch.eye(len(between.weight)))
        between.bias.zero_()
    if _passes_on(model):
        return True
    between.load_state_dict(before)
    return False


def _layer_between(model: PreTrainedModel) -> nn.Linear | None:
    """The square layer of the pooler, or of the head."""
    prefix = f"{model.base_model_prefix}."
    last, _ = last_layer(model)
    found = [
        layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
        and layer.in_features == layer.out_features
        and name != last
        and (not name.startswith(prefix) or name.startswith(f"{prefix}pooler."))
    ]
    return found[0] if len(found) == 1 else None


def _passes_on(model: PreTrainedModel) -> bool:
    """Whether the last layer reads the first token's states times SMALL."""
    generator = torch.Generator().manual_seed(0)
    most = min(int(model.config.vocab_size), 2000)
    ids = torch.randint(most, (2, 8), generator=generator).to(model.device)
    was_training = model.training
    model.train(False)
    with torch.inference_mode(), without_last_layer(model):
        read = model(input_ids=ids).logits
        states = model.base_model(input_ids=ids).last_hidden_state[:, 0]
    model.train(was_training)
    return read.shape == states.shape and float((read - SMALL * states).abs().max()) < NEAR


@contextmanager
def without_last_layer(model: PreTrainedModel) -> Iterator[None]:
    """Meanwhile the model's logits [B, H] are what its last layer reads."""
    name, layer = last_layer(model)
    place, _, own = name.rpartition(".")
    parent = model.get_submodule(place)
    setattr(parent, own, nn.Identity())
    try:
        yield
    finally:
        setattr(parent, own, layer)


def fit_last_layer(
    model: PreTrainedModel, vectors: Sequence[FloatArray], targets: torch.Tensor, *, head: Head
) -> None:
    """Put weights into the last layer that suit ``vectors``, what it reads of each text."""
    _, layer = last_layer(model)
    rows = torch.stack([torch.as_tensor(one, dtype=torch.float64) for one in vectors])  # [N, H]
    scale = rows.square().sum(dim=-1).mean().sqrt()
    rows = rows / scale
    weight = torch.zeros(layer.weight.shape, dtype=torch.float64, requires_grad=True)  # [C, H]
    bias = torch.zeros(len(weight), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        optimizer.zero_grad()
        output = SimpleNamespace(logits=rows @ weight.T + bias)
        loss = head.loss(output, targets) + PENALTY / 2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.copy_(weight / scale)
        layer.bias.copy_(bias)
