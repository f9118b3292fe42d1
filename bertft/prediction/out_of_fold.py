"""Cross-validation: the predictions that each fold's run made of its own rows, scored as one.

In: the runs of all folds and their recipe. Out: predictions in the order of the training files, and
the content of scores.json.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertft.contracts import Answer
from bertft.errors import RunError
from bertft.evaluation.statistic import by_group
from bertft.jobs.held_fold import belonging, fold_of_each, read_training
from bertft.loaders.json_text import read_json_text
from bertft.prediction.scoring import Scored, scores_content
from bertft.recipe import HUB
from bertft.runs.folder import Run
from bertft.runs.stored import read_card
from bertft.settings import Recipe
from bertft.tasks import bound_task
from bertft.watch import Silent

SPLIT = "out of fold"


def out_of_fold(runs: Mapping[int, Path], recipe: Recipe) -> tuple[Scored, dict[str, Any]]:
    """Every training row as the run predicted it that did not learn from it.

    The interval is that of rows drawn anew; rows that belong together are drawn together.

    Raises:
        RunError: the data changed between the folds, or predictions are missing.
    """
    _refuse_other_data(runs)
    first = Run(next(iter(runs.values())))
    task = bound_task(read_card(first.best))
    examples = read_training(task, recipe.data, watch=Silent())
    seed, where = recipe.training.seed, recipe.data.train
    folds = fold_of_each(task, examples, count=len(runs), seed=seed, where=where)
    predicted = {number: iter(_predictions(run)) for number, run in runs.items()}
    answers: list[Answer] = []
    for example, fold in zip(examples, folds.tolist(), strict=True):
        answer = next(predicted[fold + 1], None)
        if answer is None or answer["id"] != example.id:
            what = f"{runs[fold + 1]}/predictions.jsonl does not fit {recipe.data.train}"
            raise RunError(f"{what} (at id {example.id})", hint="train anew")
        answers.append(answer | {"fold": fold + 1})
    scores = task.score(examples, answers)
    scores = replace(scores, statistic=by_group(scores.statistic, belonging(examples)))
    metric, precision = first.scores["metric"], first.environment["precision"]["used"]
    gold = [{"gold": one["gold"]} for one in answers]
    scored = Scored(SPLIT, recipe.data.train, metric, answers, gold, scores, precision)
    return scored, scores_content(scored) | {"folds": _by_fold(runs, metric)}


def _by_fold(runs: Mapping[int, Path], metric: str) -> dict[str, Any]:
    """The score of each fold, their mean and standard deviation."""
    values = [Run(run).scores["metrics"][metric]["value"] for run in runs.values()]
    return {
        "values": values,
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values),
    }


def _predictions(run: Path) -> list[dict[str, Any]]:
    try:
        with (run / "predictions.jsonl").open(encoding="utf-8") as lines:
            return [
                one | {"id": one["id"], "gold": one["gold"]} for one in map(read_json_text, lines)
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{run}/predictions.jsonl: not readable ({error})", hint="train anew"
        ) from None


def _refuse_other_data(runs: Mapping[int, Path]) -> None:
    """Files are told by their SHA-256; what comes from a hub by the ids that are compared above."""
    known: dict[str, str] = {}
    for run in runs.values():
        for one in Run(run).environment["data"].values():
            path, digest = one["path"], one["sha256"]
            if not path.startswith(HUB) and known.setdefault(path, digest) != digest:
                what = f"{path} was changed before {run} was trained"
                raise RunError(f"{what}: the folds are not of one data set", hint="train anew")
