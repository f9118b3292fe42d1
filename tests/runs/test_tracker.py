"""Trackers beside the journal: the same figures, one tracker run however often the run goes on.

TensorBoard is read back for real; the others where they are installed, else through a recorder that
takes the place of Accelerate's class.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from stopping import SETTINGS, STEPS, Stopper, events, resume, sending

from bertft.commands.train import train
from bertft.errors import Interrupted, RecipeError


def told_to_tensorboard(run: Path) -> dict[str, dict[int, float]]:
    """Each figure by its step, as TensorBoard reads the folder."""
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reading.EventAccumulator(str(run / "tracker"))
    found.Reload()
    tags = found.Tags()["scalars"]
    return {tag: {one.step: one.value for one in found.Scalars(tag)} for tag in tags}


def test_tensorboard_has_the_figures_of_the_journal_once_also_after_a_stop(ask):
    pytest.importorskip("tensorboard")
    request = ask("run", *SETTINGS, "training.tracker=tensorboard")
    with pytest.raises(Interrupted):
        train(request, watch=Stopper(5, sending(signal.SIGTERM)))
    run = Path(request.out)
    begun = json.loads((run / "tracker" / "run.json").read_text())
    result = resume(run)
    assert json.loads((run / "tracker" / "run.json").read_text()) == begun
    told = told_to_tensorboard(run)
    steps = events(run, "step")
    assert [one["step"] for one in steps] == list(range(1, STEPS + 1))
    assert told["train/loss"] == pytest.approx({one["step"]: one["loss"] for one in steps})
    scores = {one["step"]: one["scores"]["accuracy"] for one in events(run, "scores")}
    assert told["dev/accuracy"] == pytest.approx(scores)
    final = result.scores["metrics"]["accuracy"]["value"]
    assert told["final/test/accuracy"] == {STEPS: pytest.approx(final)}


class Recorded:
    """Takes the place of a tracker of Accelerate, and records what it is asked."""

    begun: ClassVar[list[tuple[str, dict[str, Any]]]]
    told: ClassVar[dict[int, dict[str, float]]]
    finished: ClassVar[int]
    name = "recorded"

    def __init__(self, project: str, *places: str, **settings: Any) -> None:
        Recorded.begun.append((project, settings))
        self.tracker = self
        self.info = self
        self.run_id = settings.get("run_id") or "given-by-it"

    def start(self) -> None:
        pass

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        assert values["task.name"] == "classification"
        assert values["training.epochs"] == "2"

    def log(self, values: dict[str, float], step: int) -> None:
        Recorded.told.setdefault(step, {}).update(values)

    def finish(self) -> None:
        Recorded.finished += 1


@pytest.mark.parametrize(
    ("tracker", "known_by"),
    [("WandBTracker", "id"), ("TrackioTracker", "name"), ("MLflowTracker", "run_id")],
)
def test_a_run_that_goes_on_continues_the_run_of_its_tracker(ask, monkeypatch, tracker, known_by):
    from accelerate import tracking

    from bertft.runs import tracker as module

    Recorded.begun, Recorded.told, Recorded.finished = [], {}, 0
    monkeypatch.setattr(tracking, tracker, Recorded)
    monkeypatch.setattr(module, "find_spec", lambda name: True)
    monkeypatch.setattr(module, "_place_mlflow", lambda folder: None)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    name = tracker.removesuffix("Tracker").lower()
    request = ask("run", *SETTINGS, f"training.tracker={name}")
    with pytest.raises(Interrupted):
        train(request, watch=Stopper(5, sending(signal.SIGTERM)))
    resume(Path(request.out))
    (project, first), (_, second) = Recorded.begun
    assert project == "bertft"
    assert second[known_by] == (first[known_by] or "given-by-it")
    assert first.get("mode", "offline") == "offline"
    assert sorted(Recorded.told) == list(range(1, STEPS + 1))
    assert "final/test/accuracy" in Recorded.told[STEPS]
    assert Recorded.finished == 2


def test_mlflow_for_real(ask, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    request = ask("run", *SETTINGS, "training.tracker=mlflow")
    with pytest.raises(Interrupted):
        train(request, watch=Stopper(5, sending(signal.SIGTERM)))
    run = Path(request.out)
    resume(run)
    client = mlflow.MlflowClient(f"sqlite:///{(run / 'tracker' / 'mlflow.db').resolve()}")
    (experiment,) = client.search_experiments(filter_string="name = 'bertft'")
    (one,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(one.info.run_id, "train/loss")
    assert {row.step for row in history} == set(range(1, STEPS + 1))
    assert one.data.params["task.name"] == "classification"


def test_wandb_offline_for_real(ask, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    request = ask("run", *SETTINGS, "training.tracker=wandb")
    with pytest.raises(Interrupted):
        train(request, watch=Stopper(5, sending(signal.SIGTERM)))
    run = Path(request.out)
    resume(run)
    name = json.loads((run / "tracker" / "run.json").read_text())["id"]
    parts = list((run / "tracker" / "wandb").glob(f"offline-run-*-{name}"))
    assert len(parts) == 2, "two parts of one run, which wandb sync joins"


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "trackio"])
def test_a_tracker_that_is_not_there_is_one_line_before_any_work(command, monkeypatch, name):
    from bertft.runs import tracker as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    code, out, err = command("train", "sentiment", "--set", f"training.tracker={name}")
    assert (code, out) == (2, "")
    assert err == f"error: training.tracker needs {name}; pip install {name}\n"


def test_from_python_too(ask, monkeypatch, tmp_path):
    from bertft.runs import tracker as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"training\.tracker needs mlflow"):
        train(ask("run", "training.tracker=mlflow"))
    assert not (tmp_path / "run").exists()
