"""What ``pretrain`` is asked for, as a request to train: its recipe with this corpus."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bertft.jobs.request import TrainRequest

RECIPE = "pretrain"
RATES = {"tiny": 3e-3, "mini": 1e-3, "small": 5e-4, "medium": 3e-4, "base": 1e-4}
"""Learning rates to train them from scratch with batches of 32: the smaller, the higher."""
BETAS = [0.9, 0.98]
"""Of AdamW for training from scratch, steadier at such rates (Liu et al. 2019, RoBERTa, 3.1)."""
DROPOUT = 0.0
"""For training from scratch: so small a model underfits (Geiping & Goldstein 2023, Cramming, 4.2).
Its config keeps BERT's, for fine-tuning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainRequest:
    """What ``bertft pretrain`` is asked for; ``model`` goes on with a checkpoint, "" is anew."""

    corpus: tuple[str, ...]
    dev: str = ""
    test: str = ""
    model: str = ""
    size: str = "tiny"
    vocabulary: int = 30_000
    lower_case: bool = False
    counted: bool = True
    next_sentence: bool = True
    whole_words: bool = False
    out: str = ""
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    offline: bool = False
    dry_run: bool = False
    on_bad_row: str = ""


def train_request(request: PretrainRequest, *, out: str) -> TrainRequest:
    """The recipe ``pretrain`` with this corpus; ``--set`` comes last."""
    settings: dict[str, Any] = {
        "data.train": request.corpus[0],
        "data.further": list(request.corpus[1:]),
        "data.dev": "",
        "data.test": "",
    }
    # Flags of the command line only switch: what is left alone stays as the recipe says.
    if not request.next_sentence:
        settings["task.next_sentence"] = False
    if request.whole_words:
        settings["task.whole_words"] = True
    if not request.model:
        settings["training.learning_rate"] = RATES[request.size]
        settings["training.adam_betas"] = BETAS
        settings["training.dropout"] = DROPOUT
    overrides = [f"{key}={json.dumps(v, ensure_ascii=False)}" for key, v in settings.items()]
    return TrainRequest(
        recipe=RECIPE,
        overrides=(*overrides, *request.overrides),
        dev=request.dev,
        test=request.test,
        model=request.model,
        out=out,
        seed=request.seed,
        offline=request.offline,
        dry_run=request.dry_run,
        on_bad_row=request.on_bad_row,
    )
