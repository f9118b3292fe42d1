"""Fixtures for tests of whole trainings: requests for the tiny model, and runs to look at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import FAST, write_reviews
from stopping import SETTINGS, Stopper, outcome

from bertft.commands.train import train
from bertft.encoder.load import load_tokenizer
from bertft.errors import Interrupted
from bertft.jobs.request import TrainRequest
from bertft.tasks import make_task
from bertft.watch import Silent, TrainingPlan


class Ear(Silent):
    """A Watch that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.plans: list[TrainingPlan] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def plan(self, plan: TrainingPlan) -> None:
        self.plans.append(plan)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def ask(tiny: Path, reviews: dict[str, Path], tmp_path: Path) -> Callable[..., TrainRequest]:
    """Makes a request to train the tiny model on the reviews: ``ask("run", "training.epochs=1")``.

    Further keywords are fields of the request; ``dev=""`` leaves the dev file out.
    """

    def make(out: str, *settings: str, **fields: object) -> TrainRequest:
        usual = {"model": str(tiny), "out": str(tmp_path / out)}
        usual |= {name: str(path) for name, path in reviews.items()}
        return TrainRequest(recipe="sentiment", overrides=(*FAST, *settings), **(usual | fields))

    return make


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A finished run of one's own, in the folder ``run``."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture(scope="session")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed run leaves."""
    folder = tmp_path_factory.mktemp("whole")
    files = {name: str(path) for name, path in write_reviews(folder).items()}
    request = TrainRequest(
        recipe="sentiment",
        overrides=(*FAST, *SETTINGS),
        model=str(tiny),
        out=str(folder / "run"),
        **files,
    )
    result = train(request)
    assert result is not None
    return outcome(result.run)


@pytest.fixture
def stopped(ask: Callable[..., TrainRequest]) -> Callable[..., Path]:
    """Trains until ``act`` at a step ends it; the run directory."""

    def stop(
        step: int,
        act: Callable[[], None],
        error: type[Exception] = Interrupted,
        *,
        settings: tuple[str, ...] = (),
    ) -> Path:
        request = ask("stopped", *SETTINGS, *settings)
        with pytest.raises(error):
            train(request, watch=Stopper(step, act))
        return Path(request.out)

    return stop


@pytest.fixture(scope="session")
def qa_model(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model that answers always, saved as train saves it."""
    import torch

    task = make_task({"name": "qa", "window_overlap": 4})
    torch.manual_seed(3)
    model = task.head([]).build(tiny)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    folder = tmp_path_factory.mktemp("qa") / "best"
    model.save_pretrained(folder)
    load_tokenizer(tiny).save_pretrained(folder)
    card = {"task": {"name": "qa", "window_overlap": 4}, "labels": [], "max_length": 24}
    card["learned"] = {"null_threshold": None, "confidence": [1.0, 0.0]}
    (folder / "bertft.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def pair_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of pairs with the labels good and bad."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [f"{a},{b},{label}" for a, b, label in
            [("food", "good food", "good"), ("food", "a dull film", "bad")] * 4]  # fmt: skip
    file = folder / "pairs.csv"
    file.write_text("\n".join(["sentence1,sentence2,label", *rows]) + "\n", encoding="utf-8")
    settings = (*FAST, "task.pairs=true", "training.epochs=1")
    request = TrainRequest(
        recipe="sentiment", overrides=settings, model=str(tiny), out=str(folder / "run"),
        train=str(file), dev=str(file), test=str(file), seed=3,
    )  # fmt: skip
    assert train(request) is not None
    return folder / "run"


@pytest.fixture
def fit(ask: Callable[..., TrainRequest], request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Trains the tiny model with the settings FIT of the test's module; the run directory."""
    from bertft.commands.train import train

    def run(out: str, *settings: str, watch: Any = None, **fields: object) -> Path:
        result = train(ask(out, *request.module.FIT, *settings, **fields), watch=watch)
        assert result is not None
        return result.run

    return run
