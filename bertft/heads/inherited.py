"""Going on with a model that has a head already: whether its rows fit, and in what order.

In: a model as it was built for a task, and the folder that its weights came from. Out: the head's
last layer with the folder's rows, each for the label of its name; or new, where labels or kind of
head are others. Layers of the head below that one stay as they are loaded.

Shape legend: C labels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel

from bertft.encoder.load import read_config

HEADS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
SHOWN = 4
_UNNAMED = re.compile(r"LABEL_[0-9]+")


@dataclass(frozen=True, slots=True)
class Inherited:
    """``rows`` are the folder's for each label of the model, () where the head is a new one.

    ``said`` is a sentence for who goes on with it; "" for encoders without such a head.
    """

    rows: tuple[int, ...] = ()
    said: str = ""


def inherited(model: PreTrainedModel, folder: Path) -> Inherited:
    """What of the head in a folder serves the model that was built from it."""
    config = read_config(folder)
    kind = next(iter(getattr(config, "architectures", None) or [""]))
    if not kind.endswith(HEADS):
        return Inherited()
    if kind != type(model).__name__:
        return Inherited(said=f"it was trained as {kind}: the head is a new one")
    if not _holds(folder, last_layer(model)[0]):
        return Inherited(said="it carries no weights of its head: the head is a new one")
    if kind.endswith("ForQuestionAnswering"):
        return Inherited((0, 1), "its head is kept: start and end of an answer have no label names")
    was, now = _kind(config), _kind(model.config)
    if was != now:
        return Inherited(said=f"it was trained for {was}, this is {now}: the head is a new one")
    if now == "regression":
        return Inherited((0,), "its head is kept: the one number has no label name")
    return _by_name(_names(config), _names(model.config))


def take_rows(model: PreTrainedModel, folder: Path) -> bool:
    """Put the rows of the model's last layer in their places; whether they are the folder's."""
    _, layer = last_layer(model)
    found = inherited(model, folder)
    if not found.said:
        return False
    if not found.rows:
        # What was loaded by its shape alone says nothing of these labels.
        layer.weight.data.normal_(0.0, float(getattr(model.config, "initializer_range", 0.02)))
        if layer.bias is not None:
            layer.bias.data.zero_()
        return False
    order = torch.tensor(found.rows)
    layer.weight.data = layer.weight.data[order]
    if layer.bias is not None:
        layer.bias.data = layer.bias.data[order]
    return True


def _by_name(was: list[str], now: list[str]) -> Inherited:
    """Rows by the names of their labels; case aside, where that leaves no doubt."""
    listed = ", ".join(was[:SHOWN]) + ", ..." * (len(was) > SHOWN)
    if any(_UNNAMED.fullmatch(name) for name in was):
        return Inherited(said=f"its labels have no names ({listed}): the head is a new one")
    places = {name: place for place, name in enumerate(was)}
    names = now
    if set(was) != set(now) and len({name.casefold() for name in was}) == len(was):
        places = {name.casefold(): place for place, name in enumerate(was)}
        names = [name.casefold() for name in now]
    if len(was) != len(now) or set(places) != set(names):
        mine = ", ".join(now[:SHOWN]) + ", ..." * (len(now) > SHOWN)
        what = f"its labels are {listed}, here they are {mine}"
        return Inherited(said=f"{what}: the head is a new one")
    rows = tuple(places[name] for name in names)
    how = "in the same order" if rows == tuple(range(len(rows))) else "put in order by name"
    if set(was) != set(now):
        how += ", case aside"
    return Inherited(rows, f"its head is kept: the same {len(rows)} labels ({listed}), {how}")


def _names(config: Any) -> list[str]:
    return [str(name) for _, name in sorted(config.id2label.items())]


def _kind(config: Any) -> str:
    """What the rows of a sequence head mean together; "" says nothing of one for tokens."""
    kind: str | None = config.problem_type
    if kind is None:
        return "regression" if config.num_labels == 1 else "one label per text"
    kinds = {"regression": "regression", "multi_label_classification": "several labels per text"}
    return kinds.get(kind, "one label per text")


def last_layer(model: PreTrainedModel) -> tuple[str, nn.Linear]:
    """The layer that gives the logits: the last one, outside of the encoder."""
    return [(name, one) for name, one in model.named_modules() if isinstance(one, nn.Linear)][-1]


def _holds(folder: Path, layer: str) -> bool:
    """Whether the weights of a folder hold a layer."""
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            if f"{layer}.weight" in list(file.keys()):
                return True
    return False
