"""eval: a finished run and a data file in, scores with intervals and predictions.jsonl out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from bertft.errors import DataError, RunError
from bertft.jobs.request import without_aliases
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.reading import read_examples
from bertft.prediction.certainty import Certainty
from bertft.prediction.predictor import load
from bertft.prediction.scoring import Scored, doubts, score_split, scores_content
from bertft.recipe import BUNDLED, HUB, load_recipe, parse_recipe
from bertft.reports.notebook import Scores
from bertft.reports.page import About
from bertft.reports.report import read_about, write_report
from bertft.runs.folder import Run, find_run, model_folder
from bertft.runs.inputs import found_file
from bertft.runs.stored import read_card
from bertft.runs.writing import new_file, write_json
from bertft.settings import DataSettings, Recipe
from bertft.tasks import make_task
from bertft.watch import Silent, Watch


def evaluate(
    run: str,
    *,
    data: str = "",
    out: str = "",
    overrides: Sequence[str] = (),
    on_bad_row: str = "",
    device: str = "auto",
    precision: str = "auto",
    certainty: Certainty | None = None,
    watch: Watch | None = None,
) -> tuple[Path, Scores]:
    """Score a run on its test data (else its dev data), or on the file ``data``.

    Args:
        run: a run directory, or a recipe name for its newest finished run.
        out: folder for scores.json, predictions.jsonl and report.html; by default one under
            ``RUN/eval/``.
        certainty: what is asked of answers; what came of it stands in ``selective`` and
            ``coverage``.
        overrides: ``data.`` and ``task.`` settings of the file, as for ``--set`` of train.

    Returns:
        The folder written, and the content of its scores.json.
    """
    watch = watch or Silent()
    found = find_run(run)
    watch.note(f"run: {found.path}")
    recipe = _recipe_of(found, overrides)
    about = read_about(found.path, task=recipe.task)
    settings = recipe.data
    if on_bad_row:
        settings = settings.model_copy(update={"on_bad_row": on_bad_row})
    path = data or own_data(found, settings, watch=watch)
    if not path:
        raise RunError(
            f"{found.path} has no test or dev file of its own", hint="give one with --data"
        )
    if data and recipe.data.train.startswith((BUNDLED, HUB)):
        recipe = without_aliases(recipe, overrides)
    split = "data" if data else "test" if settings.test else "dev"
    predictor = load(found, device=device, precision=precision)
    predictor.task = make_task(recipe.task).bind(predictor.task.labels, predictor.task.learned)
    rule = predictor.rule(certainty or Certainty(), watch=watch)
    examples = read_examples(predictor.task, path, settings, watch=watch)
    for said in predictor.task.check(examples, path=path):
        watch.note(f"{path}: {said}")
    metric = recipe.training.metric
    scored = score_split(predictor, examples, split=split, path=path, metric=metric, watch=watch)
    if doubt := doubts(scored):
        watch.note(doubt)
    folder = _new_folder(found.path, path, out=out)
    content = scores_content(scored)
    if rule is not None:
        content |= rule.measured(scored.answers, scored.gold)
        scored = replace(scored, answers=[rule.marked(one) for one in scored.answers])
    write_scores(folder, scored, content, about=about)
    return folder, Scores(content)


def own_data(run: Run, settings: DataSettings, *, watch: Watch) -> str:
    """The test data of a run, else its dev data, where they are now; "" where it has none.

    Raises:
        RunError: they are not found any more.
    """
    split = "test" if settings.test else "dev"
    recorded = getattr(settings, split)
    digest = run.environment.get("data", {}).get(split, {}).get("sha256", "")
    path: str = found_file(recorded, digest, run.path, tell=watch.note)
    if path and not path.startswith(HUB) and path != STDIN and not Path(path).is_dir():
        try:
            resolve(path)
        except DataError as error:
            what = f"the {split} data of {run.path} cannot be read: {error.message}"
            raise RunError(what, hint="say where they are now with --data FILE") from None
    return path


def _recipe_of(run: Run, overrides: Sequence[str]) -> Recipe:
    """The run's recipe with ``overrides``; of a lone model folder, what its card says."""
    path = run.path / "recipe.toml"
    if path.exists():
        return load_recipe(str(path), overrides=overrides)
    folder = model_folder(run)
    settings = {"task": read_card(folder)["task"]}
    return parse_recipe(settings, overrides=overrides, where=str(folder))


def write_scores(
    folder: Path, scored: Scored | None, content: dict[str, Any], *, about: About
) -> None:
    """Write predictions.jsonl, report.html and at last scores.json into ``folder``.

    There are no predictions where nothing was scored.
    """
    if scored is not None:
        with new_file(folder / "predictions.jsonl") as file:
            for answer, gold in zip(scored.answers, scored.gold, strict=True):
                file.write(json.dumps(answer | gold, ensure_ascii=False) + "\n")
    write_report(folder, about, content)
    write_json(folder / "scores.json", content)


def _new_folder(run: Path, data: str, *, out: str) -> Path:
    """A folder of its own for each evaluation; nothing is overwritten."""
    stem = PurePath(data.rsplit(":", 1)[-1]).name.split(".")[0] or "data"
    folder = Path(out) if out else run / "eval" / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    if out and folder.exists():
        raise RunError(f"{folder} exists already", hint="choose another --out")
    number, base = 1, folder
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be created ({error.strerror})", hint="choose --out"
        ) from None
    return folder
