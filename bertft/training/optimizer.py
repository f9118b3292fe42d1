"""AdamW with decay groups and layer-wise learning rates, and the schedule as a pure function.

Decoupled weight decay: Loshchilov & Hutter 2019. Bias correction is on, as in torch (BERT's own
optimizer leaves it out, which makes small data sets unstable: Mosbach et al. 2021).
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import torch
from transformers import PreTrainedModel

from bertft.encoder.dropout import set_dropout
from bertft.errors import ModelError
from bertft.settings import LAYERS, TrainingSettings

LAYER = re.compile(r"\.(?:layer|layers|h|block)\.(\d+)\.")


def freeze_encoder(model: PreTrainedModel) -> None:
    """Leave only the head trainable."""
    for name, parameter in model.named_parameters():
        if not belongs_to_head(name, model):
            parameter.requires_grad = False


def belongs_to_head(name: str, model: PreTrainedModel) -> bool:
    """Whether a parameter is the head's; BERT's pooler is counted to the head, as in its paper."""
    prefix = f"{model.base_model_prefix}."
    return not name.startswith(prefix) or name.startswith(f"{prefix}pooler.")


def freeze_but_layers(model: PreTrainedModel, *, count: int) -> None:
    """Leave only the first ``count`` layers of the encoder trainable."""
    for name, parameter in model.named_parameters():
        layer = LAYER.search(name)
        parameter.requires_grad = layer is not None and int(layer[1]) < count


def freeze_layers(model: PreTrainedModel, count: int) -> None:
    """Leave the embeddings and the lowest ``count`` layers as they are, and drop nothing in them:
    what they make of a text is the same in every epoch.

    Raises:
        ModelError: there are not as many layers, or they share their weights.
    """
    depth = depth_of(model)
    if count > depth:
        what = f"training.freeze = {LAYERS}{count}: the encoder has {depth} layers"
        if depth == 0:
            what = f"training.freeze = {LAYERS}{count}: this encoder has no layers of their own"
        raise ModelError(what, hint=f"at most {LAYERS}{depth}" if depth else "leave it out")
    for name, parameter in model.named_parameters():
        if _height(name, model.base_model_prefix, depth) <= count:
            parameter.requires_grad = False
    for name, module in model.named_modules():
        if _height(f"{name}.", model.base_model_prefix, depth) <= count:
            set_dropout(module, 0.0)


def make_optimizer(
    model: PreTrainedModel, settings: TrainingSettings, *, fused: bool
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; each group carries ``base_lr``, its peak rate."""
    groups = [
        {"params": parameters, "weight_decay": decay, "lr": rate, "base_lr": rate}
        for (decay, rate), parameters in sorted(_groups(model, settings).items())
    ]
    return torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        betas=settings.adam_betas,
        eps=settings.adam_epsilon,
        fused=fused,
    )


def _groups(
    model: PreTrainedModel, settings: TrainingSettings
) -> dict[tuple[float, float], list[torch.nn.Parameter]]:
    """(weight decay, learning rate) -> parameters. Vectors (biases, LayerNorm) do not decay."""
    depth = depth_of(model)
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            below_head = depth + 1 - _height(name, model.base_model_prefix, depth)
            rate = settings.learning_rate * settings.layer_decay**below_head
            groups[decay, rate].append(parameter)
    return groups


def depth_of(model: PreTrainedModel) -> int:
    """Number of encoder layers."""
    found = [LAYER.search(name) for name, _ in model.named_parameters()]
    return max((int(match[1]) + 1 for match in found if match), default=0)


def _height(name: str, prefix: str, depth: int) -> int:
    """0 for embeddings, 1..depth for the layers, depth + 1 for what is above (pooler, head)."""
    found = LAYER.search(name)
    if name.startswith(prefix + ".") and found:
        return int(found[1]) + 1
    return 0 if name.startswith(f"{prefix}.embeddings") else depth + 1


def rate_share(step: int, *, total: int, warmup: float, schedule: str) -> float:
    """Share of the peak learning rate at optimizer step ``step`` (counted from 0).

    Rises linearly over ``warmup * total`` steps, then falls linearly to 0 after the last step
    (Devlin et al. 2019), or stays.
    """
    rising = int(warmup * total)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    return (total - step) / max(1, total - rising)


def set_learning_rate(optimizer: Any, share: float) -> float:
    """Set every group to its share of the peak; the highest rate is returned."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * share
    return float(max(group["lr"] for group in optimizer.param_groups))
