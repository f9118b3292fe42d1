"""LoRA (Hu et al. 2021) through peft: low-rank adapters learn, the encoder's own weights stay.

A linear layer W of the encoder becomes W + alpha / rank * B A, of which A and B learn, and with
them the head (and BERT's pooler, which belongs to it). What is scored and saved is the merged
model: one plain layer for each, that any program loads. The adapters are saved beside it, as peft
reads them.

peft (3 s to import) is imported only where a model gets adapters.

Shape legend: r rank, I inputs and O outputs of a linear layer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel

from bertft.errors import ModelError, did_you_mean
from bertft.settings import LoraSettings
from bertft.training.optimizer import belongs_to_head

NAME = "default"
"""What peft calls the one adapter of a model."""
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What peft's files put before the name of a weight."""


def add_adapters(model: PreTrainedModel, settings: LoraSettings) -> None:
    """Give linear layers of the encoder adapters: those of ``settings.targets``, without the ones
    that are frozen. Then adapters and head are all that learns. B starts at 0: nothing changes yet.

    Raises:
        ModelError: the encoder has no such layers.
    """
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type, unused-ignore]
        lora_dropout=settings.dropout,
        target_modules=_targets(model, settings.targets),
    )
    inject_adapter_in_model(config, model, NAME)
    for layer in _adapted(model):
        layer.cast_input_dtype_enabled = False  # autocast does that, to what products run in
    for name, parameter in model.named_parameters():
        parameter.requires_grad = ".lora_" in name or belongs_to_head(name, model)


def _targets(model: PreTrainedModel, wanted: list[str]) -> list[str]:
    """Full names of the linear layers that are meant by their last names; all where none is."""
    prefix = model.base_model_prefix
    linear = {
        name: one
        for name, one in model.named_modules()
        if isinstance(one, nn.Linear)
        and name.startswith(f"{prefix}.")
        and not belongs_to_head(f"{name}.", model)
    }
    there = {name.rpartition(".")[2] for name in linear}
    if unknown := [name for name in wanted if name not in there]:
        what = f"lora.targets: no linear layer '{unknown[0]}' in this encoder"
        raise ModelError(what, hint=did_you_mean(unknown[0], sorted(there)))
    found = [
        name
        for name, one in linear.items()
        if one.weight.requires_grad and name.rpartition(".")[2] in (wanted or there)
    ]
    if not found:
        what = "training.mode = lora: every layer of the encoder that could learn is frozen"
        raise ModelError(what, hint="freeze fewer layers, or --set training.mode=features")
    return found


def adapters_in(model: nn.Module) -> int:
    """How many layers of a model have adapters."""
    return sum(1 for _ in _adapted(model))


def _adapted(model: nn.Module) -> Iterator[Any]:
    """peft's layers; () where peft has not touched the model, which leaves it unimported."""
    if hasattr(model, "peft_config"):
        yield from (one for one in model.modules() if hasattr(one, "lora_A"))


@contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Meanwhile the adapters are in the weights [O, I], and cost no products of their own.

    Afterwards the weights are those of before to the last bit. Without adapters nothing happens.
    """
    layers = list(_adapted(model))
    before = [layer.base_layer.weight.data for layer in layers]
    try:
        for layer in layers:
            layer.merge(safe_merge=True)  # into a copy
        yield
    finally:
        for layer, weight in zip(layers, before, strict=True):
            layer.base_layer.weight.data = weight
            layer.merged_adapters.clear()


def plain_weights(model: PreTrainedModel) -> dict[str, torch.Tensor] | None:
    """The merged weights by the names that they have without adapters; None without adapters."""
    if not adapters_in(model):
        return None
    with merged(model):
        return {
            name.replace(".base_layer.", "."): tensor
            for name, tensor in model.state_dict().items()
            if ".lora_" not in name
        }


def _head_modules(model: PreTrainedModel) -> set[str]:
    """Last names of the modules that a head consists of."""
    names = [name for name, _ in model.named_parameters() if belongs_to_head(name, model)]
    inside = f"{model.base_model_prefix}."
    return {name.removeprefix(inside).partition(".")[0] for name in names}


def save_adapters(model: PreTrainedModel, folder: Path, *, base: str, revision: str) -> None:
    """Write adapters and head into a new folder, as peft's ``PeftModel.from_pretrained`` reads it.

    ``base`` and ``revision`` name the encoder that they belong on.
    """
    from peft import get_peft_model_state_dict

    outer: Any = model
    config = replace(
        outer.peft_config[NAME],
        base_model_name_or_path=base,
        revision=revision or None,
        inference_mode=True,
        modules_to_save=sorted(_head_modules(model)),
    )
    # peft 0.21 asks the Hub about the base where it is left to find out whether to save embeddings.
    found = get_peft_model_state_dict(model, adapter_name=NAME, save_embedding_layers=False)
    found |= {
        name: tensor for name, tensor in model.state_dict().items() if belongs_to_head(name, model)
    }
    folder.mkdir()
    save_file({PREFIX + name: one.contiguous() for name, one in found.items()}, folder / WEIGHTS)
    content = {
        key: sorted(value) if isinstance(value, set) else value
        for key, value in config.to_dict().items()
    }
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
