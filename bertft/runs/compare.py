"""The paired comparison of two runs, or of two evaluations, on the same examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertft.errors import RunError
from bertft.evaluation.intervals import paired_bootstrap, point_values
from bertft.loaders.json_text import read_json_text
from bertft.runs.folder import run_folder
from bertft.runs.stored import read_card
from bertft.tasks import bound_task

if TYPE_CHECKING:
    from bertft.contracts import Task
    from bertft.evaluation.statistic import Statistic

HINT = "score the run: bertft eval"


def compare_runs(first: str, second: str) -> dict[str, Any]:
    """Score differences of two runs on the same examples, with a paired bootstrap test.

    Raises:
        RunError: the two were not scored on the same examples.
    """
    first, second = (str(run_folder(name)) for name in (first, second))
    examples = [predictions(path) for path in (first, second)]
    ids = [[one["id"] for one in rows] for rows in examples]
    gold = [[one["gold"] for one in rows] for rows in examples]
    if ids[0] != ids[1] or gold[0] != gold[1]:
        hint = "score both on one file (bertft eval RUN --data FILE), then compare those folders"
        raise RunError(f"{first} and {second} were scored on different examples", hint=hint)
    statistics = [
        _statistic(path, rows) for path, rows in zip((first, second), examples, strict=True)
    ]
    values = [point_values(one) for one in statistics]
    differences = paired_bootstrap(statistics[0], statistics[1])
    return {
        "a": first,
        "b": second,
        "n": len(ids[0]),
        "metrics": {
            name: {
                "a": values[0][name],
                "b": values[1][name],
                "b - a": d.value,
                "low": d.low,
                "high": d.high,
                "p": d.p_value,
            }
            for name, d in differences.items()
        },
    }


def predictions(path: str) -> list[dict[str, Any]]:
    """What predictions.jsonl of a folder says. Raises RunError where it is not there."""
    file = Path(path) / "predictions.jsonl"
    try:
        with file.open(encoding="utf-8") as lines:
            rows = [read_json_text(line) for line in lines]
            return [one | {"id": one["id"], "gold": one["gold"]} for one in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: not readable ({error})", hint=HINT) from None


def _statistic(path: str, rows: list[dict[str, Any]]) -> Statistic:
    """Per-example counts of one run, from its predictions."""
    folder = Path(path).resolve()
    while not (folder / "best").is_dir():
        if folder == folder.parent:
            raise RunError(
                f"{path} does not belong to a run", hint="give a run, or a folder in its eval/"
            )
        folder = folder.parent
    return statistic_of(bound_task(read_card(folder / "best")), rows, path)


def statistic_of(task: Task[Any], rows: list[dict[str, Any]], path: str) -> Statistic:
    """Per-example counts of predictions. Raises RunError where they are not the task's."""
    try:
        examples = [task.regain(row) for row in rows]
        return task.score(examples, rows).statistic
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        reason = f"{path}/predictions.jsonl does not fit the run's model ({error!r})"
        raise RunError(reason, hint=HINT) from None
