"""The recipe for encoders of ModernBERT's kind: what it sets reaches the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from bertft.commands.train import train
from bertft.encoder.load import load_tokenizer
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe
from bertft.runs import start

SPECIAL = {f"{name}_token_id": index for index, name in enumerate(("pad", "unk", "cls", "sep"))}
SPECIAL |= {"bos_token_id": 2, "eos_token_id": 3}


def modern(folder: Path, tiny: Path) -> Path:
    """A tiny ModernBERT that says of itself that it drops."""
    tokenizer = load_tokenizer(tiny)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=64,
        **{f"{part}_dropout": 0.1 for part in ("attention", "embedding", "mlp", "classifier")},
        **SPECIAL,
    )
    transformers.ModernBertModel(config).save_pretrained(folder)
    return folder


def test_a_tiny_modernbert_learns_packed_and_without_dropout(
    tiny: Path, reviews: dict[str, Path], tmp_path: Path, ear: Any, monkeypatch: Any
) -> None:
    built = []

    def build(job: Any) -> Any:
        model, head = start_build(job)
        built.append(model)
        return model, head

    start_build = start.build_model
    monkeypatch.setattr(start, "build_model", build)
    request = TrainRequest(
        recipe="imdb",
        overrides=("model.max_length=32", "training.device=cpu", "training.precision=fp32"),
        model=str(modern(tmp_path / "modern", tiny)),
        out=str(tmp_path / "run"),
        **{name: str(path) for name, path in reviews.items()},
    )
    assert train(request, watch=ear) is not None
    assert ear.plans[0].packed
    drops = [
        value
        for module in built[0].modules()
        for name, value in [("p", getattr(module, "p", None)), *vars(module).items()]
        if isinstance(value, float) and (name == "p" or "dropout" in name)
    ]
    assert drops
    assert set(drops) == {0.0}
    settings = load_recipe(str(tmp_path / "run" / "recipe.toml")).training
    assert settings.adam_betas == (0.9, 0.98)
    assert settings.learning_rate < load_recipe("sst2").training.learning_rate
