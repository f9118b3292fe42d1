"""runs: those that are here, one in full; runs/compare.py and runs/cleaning.py do the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bertft.errors import RunError
from bertft.runs.folder import Run, finished_runs, open_run, unfinished_runs
from bertft.runs.lock import is_locked
from bertft.runs.standing import folder_bytes, steps_done
from bertft.training.journal import read_journal


def list_runs(*, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Each run with its state, finished ones first (the oldest at the top), with their score.

    ``tell`` is given a line for each that is damaged.
    """
    rows = []
    for describe, runs in ((_finished, finished_runs()), (_unfinished, unfinished_runs())):
        for run in runs:
            try:
                rows.append(describe(run))
            except RunError as error:
                tell(f"left out: {error}")
    return rows


def _finished(run: Run) -> dict[str, Any]:
    scores = run.scores
    return _facts(run, "finished") | {
        "split": scores["split"],
        "n": scores["n"],
        "metric": scores["metric"],
        "value": scores["metrics"].get(scores["metric"], {}).get("value"),
    }


def _unfinished(run: Run) -> dict[str, Any]:
    """What there is of it, and the command that goes on with it."""
    done, steps = steps_done(run.path)
    if is_locked(run.path):
        return _facts(run, "training") | {"step": done, "steps": steps}
    resume = f"bertft train --resume {run.path}"
    return _facts(run, "unfinished") | {"step": done, "steps": steps, "resume": resume}


def _facts(run: Run, state: str) -> dict[str, Any]:
    return {"run": str(run.path), "recipe": run.recipe_name, "mode": run.kind, "state": state}


def show_run(path: str) -> dict[str, Any]:
    """Environment, scores, time and size of a run."""
    run = open_run(path)
    best = [event for event in _events(run) if event["event"] == "finish"]
    return {
        "run": str(run.path),
        **run.environment,
        "task": run.task,
        "kind": run.kind,
        "best_step": best[-1].get("best_step") if best else None,
        "steps": steps_done(run.path)[0],
        "seconds": sum(one.get("step_seconds", 0.0) for one in _events(run)),
        "bytes": folder_bytes(run.path),
        "scores": run.scores,
    }


def _events(run: Run) -> list[dict[str, Any]]:
    path = run.path / "journal.jsonl"
    return list(read_journal(path)) if path.is_file() else []
