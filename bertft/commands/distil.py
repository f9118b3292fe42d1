"""distil: a trained run teaches another encoder on texts without labels.

    teacher, texts -> probabilities of each label (a JSONL file of soft labels) -> train

The student is a run like any other: the teacher's recipe with another encoder, which learns from
the soft labels, and is scored on the teacher's dev and test data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertft.commands.train import TrainResult, train
from bertft.contracts import Answer
from bertft.errors import BertftError, DataError, RecipeError, RunError
from bertft.jobs.request import TrainRequest
from bertft.loaders.named import check_inputs
from bertft.loaders.reading import bad_row_rule, input_settings
from bertft.prediction.asked import Asked, predictions
from bertft.prediction.output import fresh_file
from bertft.prediction.predictor import load
from bertft.prediction.shown import TEXTS
from bertft.recipe import load_recipe
from bertft.runs.compare import compare_runs
from bertft.runs.first_look import look_at_training
from bertft.runs.folder import Run, find_run, free_run_folder, model_folder
from bertft.runs.inputs import found_recipe
from bertft.runs.stored import read_card
from bertft.settings import Recipe
from bertft.watch import Watch
from bertft.words import counted, rows_left_out

SOFT_COLUMN = "soft_labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilRequest:
    """``run`` teaches, ``files`` hold the texts, ``to`` names the encoder of the student."""

    run: str
    files: tuple[str, ...]
    to: str
    out: str = ""
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    device: str = "auto"
    precision: str = "auto"
    offline: bool = False


def distil(request: DistilRequest, *, watch: Watch) -> TrainResult | None:
    """Train the student; what it keeps of the teacher's score is said.

    Raises:
        BertftError: the run, the texts, the student's encoder or a setting is at fault.
    """
    check_inputs(request.files)
    run = find_run(request.run)
    recipe = teachers_recipe(run, watch=watch)
    out = free_run_folder(request.out, recipe="distil")
    asked = _training(run, recipe, request, str(out))
    look_at_training(replace(asked, train=request.files[0]))  # before a teacher works for hours
    soft = out.with_name(f"{out.name}.soft.jsonl")
    soft.parent.mkdir(parents=True, exist_ok=True)
    with fresh_file(str(soft), overwrite=False) as partial:
        count = teach(run, recipe, request, partial, watch=watch)
    watch.note(f"{counted(count, 'text')} with the teacher's probabilities: {soft}")
    if not recipe.data.dev:
        watch.note("the teacher's recipe has no dev file: held-out texts tell how far both agree")
    result = train(replace(asked, train=str(soft)), watch=watch)
    if result is not None and (said := kept_of(run, result)):
        watch.note(said)
    return result


def _training(run: Run, recipe: Recipe, request: DistilRequest, out: str) -> TrainRequest:
    """The student's training but for its data. Raises RecipeError for what is not its to set."""
    changed = {one.partition("=")[0].strip() for one in request.overrides}
    for key, instead in {"data.train": "the files named", "model.name": "--to"}.items():
        if key in changed:
            raise RecipeError(f"--set {key}: {instead} say that to distil", hint="leave it out")
    # No soft label says that a text is out of scope; labels of dev may.
    scope = ("task.out_of_scope=true",) if "out_of_scope" in _learned(run) else ()
    return TrainRequest(
        recipe=str(run.path / "recipe.toml"),
        overrides=(*scope, *request.overrides),
        dev="" if "data.dev" in changed else recipe.data.dev,
        test="" if "data.test" in changed else recipe.data.test,
        model=request.to,
        out=out,
        seed=request.seed,
        offline=request.offline,
    )


def _learned(run: Run) -> dict[str, Any]:
    learned: dict[str, Any] = read_card(model_folder(run))["learned"]
    return learned


def teachers_recipe(run: Run, *, watch: Watch) -> Recipe:
    """The recipe of a run that can teach, its data where they are now. Raises BertftError."""
    path = run.path / "recipe.toml"
    if not path.is_file():
        raise RunError(f"{run.path} has no recipe.toml", hint="give the whole run, not best/")
    recipe = load_recipe(str(path))
    recipe = found_recipe(recipe, run.environment, run.path, given={}, tell=watch.note)
    task = recipe.task
    if task["name"] not in ("classification", "nli") or task.get("regression"):
        what = f"distil teaches probabilities of labels; {run.path} is of the task {task['name']}"
        raise BertftError(what, hint="for other tasks, train the small encoder on the gold")
    if isinstance(task.get("label_column"), list):
        what = "distil writes one column of labels; the teacher's recipe reads one for each label"
        raise BertftError(what, hint="train the teacher on a table with all labels in one column")
    return recipe


def teach(run: Run, recipe: Recipe, request: DistilRequest, path: Path, *, watch: Watch) -> int:
    """Write the soft labels of all texts; how many there are."""
    settings = input_settings(())
    predictor = load(run, device=request.device, precision=request.precision)
    asked = Asked(arguments=request.files, data=settings.data, bad_row=bad_row_rule(settings.data))
    names = _columns(recipe.task)
    count, lost, first = 0, 0, ""
    with path.open("w", encoding="ascii") as file:
        for one in predictions(predictor, asked, watch=watch):
            if "error" in one.answer:
                lost += 1
                first = first or f"{one.answer['id']}: {one.answer['error']}"
                continue
            # ASCII reads alike in whatever encoding the recipe names for its own files.
            file.write(json.dumps(_soft_row(one.answer, names)) + "\n")
            count += 1
    if lost:
        watch.note(rows_left_out(lost, first=first))
    if not count:
        raise DataError("no text to learn from", path=", ".join(request.files))
    return count


def _columns(task: Mapping[str, Any]) -> tuple[str, str, str]:
    """What the recipe calls the text, the second text and the label."""
    return (
        task.get("text_column") or "text",
        task.get("pair_column") or "text_pair",
        task.get("label_column") or SOFT_COLUMN,
    )


def _soft_row(answer: Answer, names: tuple[str, str, str]) -> dict[str, Any]:
    texts = [answer[name] for name in TEXTS if name in answer]
    return {**dict(zip(names, texts, strict=False)), names[2]: answer["scores"]}


def kept_of(run: Run, result: TrainResult) -> str:
    """What the student keeps of the teacher's score; "" where they were scored on other data."""
    try:
        found = compare_runs(str(run.path), str(result.run))
    except RunError:
        return ""
    metric = str(result.scores["metric"])
    own, other = (one["metrics"][metric]["value"] for one in (result.scores, run.scores))
    low, high = (found["metrics"][metric][name] for name in ("low", "high"))
    share = f" ({own / other:.1%} of it)" if other > 0 else ""
    return (
        f"{result.split} {metric} {own:.4f}, the teacher's {other:.4f}{share}; 95 % CI of the "
        f"difference {low:+.4f} to {high:+.4f}"
    )
