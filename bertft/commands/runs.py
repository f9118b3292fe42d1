"""runs: finished runs, one run in full, and the paired comparison of two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bertft.errors import RunError
from bertft.runs.folder import finished_runs, open_run


def list_runs(*, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Path, recipe, mode, split, metric and value of every finished run, oldest first.

    ``tell`` is given a line for each that is damaged.
    """
    rows = []
    for run in finished_runs():
        try:
            rows.append(
                {
                    "run": str(run.path),
                    "recipe": run.recipe_name,
                    "mode": run.mode,
                    "split": run.scores["split"],
                    "n": run.scores["n"],
                    "metric": run.scores["metric"],
                    "value": run.scores["metrics"].get(run.scores["metric"], {}).get("value"),
                }
            )
        except RunError as error:
            tell(f"left out: {error}")
    return rows


def show_run(path: str) -> dict[str, Any]:
    """Environment and scores of a run."""
    run = open_run(path)
    return {"run": str(run.path), **run.environment, "scores": run.scores}
