"""distil: trained runs teach a smaller encoder on texts without labels.

    teachers, texts -> what they say of each text (a JSONL file of soft labels) -> train

The student is a run like any other: the teacher's recipe with another encoder, or with fewer layers
of the teacher's own, which learns from the soft labels and is scored on the teacher's dev and test
data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertft.commands.train import TrainResult, train
from bertft.encoder.cut import kept_layers
from bertft.encoder.find import locate
from bertft.encoder.load import check_length, read_config
from bertft.errors import BertftError, RecipeError, RunError
from bertft.jobs.request import TrainRequest
from bertft.loaders.named import check_inputs
from bertft.prediction.output import fresh_file
from bertft.prediction.teachers import check_together, open_teachers, teach, teaching
from bertft.recipe import load_recipe
from bertft.runs.compare import compare_runs
from bertft.runs.first_look import look_at_training
from bertft.runs.folder import Run, find_run, free_run_folder, model_folder
from bertft.runs.inputs import found_recipe
from bertft.runs.stored import read_card
from bertft.settings import Recipe
from bertft.tasks import make_task
from bertft.watch import Watch
from bertft.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilRequest:
    """``run`` teaches, and ``teachers`` with it; ``files`` hold the texts; ``to`` names the encoder
    of the student, "" the teacher's own, of which ``layers`` are kept (as model.layers)."""

    run: str
    files: tuple[str, ...]
    to: str = ""
    teachers: tuple[str, ...] = ()
    layers: str = ""
    out: str = ""
    overrides: tuple[str, ...] = ()
    seed: int | None = None
    device: str = "auto"
    precision: str = "auto"
    offline: bool = False


def distil(request: DistilRequest, *, watch: Watch) -> TrainResult | None:
    """Train the student; what it keeps of the teachers' scores is said.

    Raises:
        BertftError: a run, the texts, the student's encoder or a setting is at fault.
    """
    check_inputs(request.files)
    runs = found_teachers(request)
    recipe = teachers_recipe(runs[0], watch=watch)
    out = free_run_folder(request.out, recipe="distil")
    asked = _training(runs[0], recipe, request, str(out))
    # Before teachers work for hours:
    student = look_at_training(replace(asked, train=request.files[0]))
    look_at_student(student, offline=request.offline)
    encoding = student.data.encoding
    soft = write_soft_labels(runs, request, out, encoding=encoding, watch=watch)
    if not recipe.data.dev:
        watch.note("the teacher's recipe has no dev file: held-out texts tell how far both agree")
    result = train(replace(asked, train=str(soft)), watch=watch)
    for run in runs:
        if result is not None and (said := kept_of(run, result)):
            watch.note(said if len(runs) == 1 else f"{run.path}: {said}")
    return result


def found_teachers(request: DistilRequest) -> list[Run]:
    """The runs that teach. Raises BertftError where one is not there, or has other labels."""
    runs = [find_run(name) for name in (request.run, *request.teachers)]
    if len(runs) > 1:
        check_together(runs)
    return runs


def write_soft_labels(
    runs: Sequence[Run],
    request: DistilRequest,
    out: Path,
    *,
    watch: Watch,
    encoding: str = "auto",
) -> Path:
    """The file beside the run ``out`` with what the teachers say of all texts."""
    soft = out.with_name(f"{out.name}.soft.jsonl")
    soft.parent.mkdir(parents=True, exist_ok=True)
    with fresh_file(str(soft), overwrite=False) as partial:
        teachers = open_teachers(runs, device=request.device, precision=request.precision)
        count = teach(teachers, request.files, partial, encoding=encoding, watch=watch)
    whose = "the teacher's" if len(runs) == 1 else f"the mean of {len(runs)} teachers'"
    watch.note(f"{counted(count, 'text')} with {whose} probabilities: {soft}")
    return soft


def _training(run: Run, recipe: Recipe, request: DistilRequest, out: str) -> TrainRequest:
    """The student's training but for its data. Raises RecipeError for what is not its to set."""
    changed = {one.partition("=")[0].strip() for one in request.overrides}
    fixed = {"data.train": "the files named", "model.name": "--to", "model.layers": "--layers"}
    for key, instead in fixed.items():
        if key in changed:
            raise RecipeError(f"--set {key}: {instead} say that to distil", hint="leave it out")
    if not request.to and not request.layers:
        hint = "--to MODEL for another encoder, --layers N for fewer layers of the teacher's"
        raise RecipeError("nothing says what the student is to be", hint=hint)
    # No soft label says that a text is out of scope; labels of dev may.
    scope = ("task.out_of_scope=true",) if "out_of_scope" in _learned(run) else ()
    layers = f"[{request.layers}]" if "," in request.layers else request.layers or "0"
    return TrainRequest(
        recipe=str(run.path / "recipe.toml"),
        overrides=(*scope, f"model.layers={layers}", 'model.revision=""', *request.overrides),
        dev="" if "data.dev" in changed else recipe.data.dev,
        test="" if "data.test" in changed else recipe.data.test,
        model=request.to or str(model_folder(run)),
        out=out,
        seed=request.seed,
        offline=request.offline,
    )


def look_at_student(student: Recipe, *, offline: bool) -> None:
    """Fetch the student's encoder, if it is not here. Raises ModelError where it is not to be had,
    or has neither the layers that are to be kept nor room for the longest inputs."""
    model = student.model
    folder, _ = locate(model, offline=offline)
    check_length(folder, model.max_length)
    if model.layers:
        depth = getattr(read_config(folder), "num_hidden_layers", 0)
        kept_layers(model.layers, depth=depth, name=model.name)


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
    teaching(make_task(recipe.task))
    if isinstance(recipe.task.get("label_column"), list):
        what = "distil writes one column of labels; the teacher's recipe reads one for each label"
        raise BertftError(what, hint="train the teacher on a table with all labels in one column")
    return recipe


def kept_of(run: Run, result: TrainResult) -> str:
    """What the student keeps of a teacher's score; "" where they were scored on other data."""
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
