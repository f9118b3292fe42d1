"""Fixtures of the training tests: a model without dropout, and a training ready to start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import tomli_w
import torch

Rows = Sequence[tuple[str, str]]
Start = Callable[..., SimpleNamespace]

ROWS: Rows = [
    ("a good film", "good"),
    ("bad", "bad"),
    ("i love it and the food was very good", "good"),
    ("awful plot , not fun", "bad"),
    ("great fun", "good"),
    ("we hate this slow dull movie", "bad"),
    ("happy", "good"),
    ("never sad , never dull , never slow", "good"),
    ("the plot is a mess", "bad"),
    ("very very good", "good"),
    ("no fun at all", "bad"),
    ("yes yes yes we love it", "good"),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small are faster on one thread, and the same on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def steady(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without dropout, so that equal inputs give equal gradients."""
    folder = tmp_path_factory.mktemp("steady") / "model"
    shutil.copytree(tiny, folder)
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    file.write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def start(steady: Path, tmp_path: Path) -> Start:
    """Prepares a training as ``bertft train`` does: (job, model, trainer), nothing written.

    Settings are ``section.key=value``; ``rows`` are the training data, ``model`` the encoder.
    """
    from bertft.jobs import build, prepare
    from bertft.jobs.request import TrainRequest, read_recipe
    from bertft.watch import Silent

    def write(name: str, rows: Rows) -> str:
        path = tmp_path / name
        lines = [f'"{text}",{label}' for text, label in rows]
        path.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
        return str(path)

    def begin(*settings: str, rows: Rows = ROWS, model: Path = steady) -> SimpleNamespace:
        recipe = {
            "model": {"name": str(model), "max_length": 32},
            "task": {"name": "classification"},
            "data": {"train": write("train.csv", rows), "dev": write("dev.csv", ROWS[:4])},
            "training": {"device": "cpu", "precision": "fp32", "warmup": 0.0, "epochs": 1},
        }
        path = tmp_path / "recipe.toml"
        path.write_text(tomli_w.dumps(recipe), encoding="utf-8")
        request = TrainRequest(recipe=str(path), overrides=settings)
        job = prepare.prepare(read_recipe(request), request, watch=Silent())
        network, head = build.build_model(job)
        trainer = build.make_trainer(job, network, head)
        return SimpleNamespace(job=job, model=network, head=head, trainer=trainer)

    return begin
