"""A tracker of experiments beside the journal: ``training.tracker`` in, figures by Accelerate out.

RUN/tracker/ holds what the tracker writes, and run.json, by which a run that goes on continues the
same run of the tracker. Nothing leaves the machine unless the tracker's own settings say so
(WANDB_MODE, MLFLOW_TRACKING_URI).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bertft.errors import RecipeError
from bertft.runs.stored import read_json
from bertft.runs.writing import write_json
from bertft.settings import Recipe
from bertft.training import processes
from bertft.watch import StepReport

PROJECT = "bertft"
FOLDER = "tracker"


def check_tracker(recipe: Recipe) -> None:
    """Raise RecipeError, with the way to install it, where the tracker is not there."""
    name = recipe.training.tracker
    packages = ("tensorboard", "tensorboardX") if name == "tensorboard" else (name,)
    if name != "none" and not any(find_spec(one) for one in packages):
        raise RecipeError(f"training.tracker needs {name}", hint=f"pip install {name}")


class Tracker:
    """What a run tells its tracker; nothing without one, and in all processes but the main one."""

    def __init__(self, recipe: Recipe, run: Path, *, step: int) -> None:
        self._step = step
        self._tracker: Any = None
        if recipe.training.tracker != "none" and processes.is_main():
            (run / FOLDER).mkdir(exist_ok=True)
            self._tracker = _begun(recipe, run, step=step)

    def step(self, report: StepReport) -> None:
        """The figures of an optimizer step, and dev scores where it was evaluated."""
        if self._tracker is None:
            return
        self._step = report.step
        figures = {
            "train/loss": report.loss,
            "train/learning_rate": report.learning_rate,
            "train/gradient_norm": report.gradient_norm,
        }
        scores = {f"dev/{name}": value for name, value in (report.scores or {}).items()}
        self._tracker.log(figures | scores, step=report.step)

    def scores(self, content: Mapping[str, Any]) -> None:
        """The final scores, at the last step."""
        if self._tracker is None:
            return
        split, metrics = content["split"], content["metrics"]
        values = {f"final/{split}/{name}": one["value"] for name, one in metrics.items()}
        self._tracker.log(values, step=self._step)

    def close(self) -> None:
        if self._tracker is not None:
            self._tracker.finish()


def _begun(recipe: Recipe, run: Path, *, step: int) -> Any:
    """Accelerate's tracker, begun or, by the id in run.json, gone on with."""
    from accelerate import tracking

    name, folder = recipe.training.tracker, run / FOLDER
    file = folder / "run.json"
    known = str(read_json(file).get("id", ""))
    own = known or uuid.uuid4().hex
    if name == "tensorboard":
        # What was told after the checkpoint is told again: TensorBoard drops it.
        purge = {"purge_step": step + 1} if known else {}
        tracker = tracking.TensorBoardTracker(FOLDER, run, **purge)
    elif name == "wandb":
        mode = os.environ.get("WANDB_MODE", "offline")
        place = {"dir": str(folder), "name": run.name, "mode": mode}
        tracker = tracking.WandBTracker(PROJECT, id=own, resume="allow", **place)
    elif name == "trackio":
        tracker = tracking.TrackioTracker(PROJECT, name=f"{run.name}-{own[:8]}", resume="allow")
    else:
        _place_mlflow(folder)
        tracker = tracking.MLflowTracker(
            PROJECT, str(folder / "files"), run_id=known or None, run_name=run.name
        )
    tracker.start()
    if not known:
        own = tracker.tracker.info.run_id if name == "mlflow" else own
        write_json(file, {"tracker": name, "id": own})
        _tell_settings(tracker, recipe)
    return tracker


def _place_mlflow(folder: Path) -> None:
    if "MLFLOW_TRACKING_URI" not in os.environ:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{(folder / 'mlflow.db').resolve()}")


def _tell_settings(tracker: Any, recipe: Recipe) -> None:
    if tracker.name == "tensorboard":  # its table of settings would be a run of its own
        tracker.log({"recipe": recipe.to_toml().replace("\n", "  \n")}, step=0)
        return
    sections = recipe.resolved().items()
    rows = [(name, one if isinstance(one, dict) else {"": one}) for name, one in sections]
    flat = {
        f"{name}.{key}".rstrip("."): str(one) for name, rest in rows for key, one in rest.items()
    }
    tracker.store_init_configuration(flat)
