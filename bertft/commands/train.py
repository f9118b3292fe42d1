"""train: a recipe in, a run directory out.

    recipe -> prepared Job (prepare.py) -> plan -> loop -> last/, best/ -> scores

Read order: train, then the steps in the order in which ``train`` calls them.
"""

from __future__ import annotations

import os
import signal
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bertft.commands import run_folder
from bertft.commands.cost import CostPreview, measure_cost
from bertft.commands.evaluate import score_split, scores_content, write_scores
from bertft.commands.model_card import model_card
from bertft.commands.predict import load
from bertft.commands.prepare import (
    Job,
    TrainRequest,
    build_model,
    make_trainer,
    prepare,
    read_recipe,
    training_plan,
)
from bertft.commands.signals import caught_signals
from bertft.commands.watch import Recorder, Silent, Watch
from bertft.contracts import Progress, StepReport
from bertft.errors import Interrupted, RecipeError, RunError, did_you_mean
from bertft.evaluation.inference import compute_logits, pieces_of
from bertft.loaders.files import sha256
from bertft.recipe import HUB
from bertft.training import loop, processes
from bertft.training.checkpoint import load_state, replace_folder, save_state
from bertft.training.journal import Journal


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The run directory and its final scores; ``majority`` is the baseline of the same split."""

    run: Path
    task: str
    split: str
    scores: dict[str, Any]
    best_dev: float | None


def train(request: TrainRequest, *, watch: Watch | None = None) -> TrainResult | None:
    """Fine-tune; returns None for a dry run.

    Raises:
        BertftError: the recipe, data, model or run directory is at fault.
        Interrupted: SIGINT or SIGTERM came; the step was finished and ``last/`` saved.
    """
    watch = Recorder(watch or Silent())
    recipe = read_recipe(request)
    if processes.is_main():
        run_folder.free_run_folder(request.out, recipe=request.recipe)
    job = prepare(recipe, request, watch=watch)
    model, head = build_model(job)
    trainer = make_trainer(job, model, head)
    dev_scorer(job, trainer, first=1)()  # a metric that does not exist is told before training
    plan = training_plan(job, trainer, model, out=request.resume or request.out)
    watch.plan(plan)
    if request.dry_run:
        watch.note(measure_cost(trainer))
        return None
    progress, run = start_run(job, trainer, request)
    watch.note(f"run directory: {run}")
    journal = Journal(run / "journal.jsonl" if processes.is_main() else Path(os.devnull))
    journal.write("plan", asdict(plan))
    journal.notes(watch.take_notes())
    try:
        steps = fit(job, trainer, run, progress=progress, journal=journal)
        preview = CostPreview(trainer)
        for report in steps:
            watch.step(report)
            if cost := preview.after(report):
                watch.note(cost)
        return finish(job, run, journal=journal, progress=progress, watch=watch)
    finally:
        journal.notes(watch.take_notes())
        journal.close()


def train_seeds(
    request: TrainRequest, *, count: int, watch: Watch | None = None
) -> tuple[list[TrainResult], dict[str, float]]:
    """The same recipe with ``count`` seeds; the metric's mean and standard deviation over the runs.

    ``collapsed`` counts runs whose dev score is no better than always answering the majority class.
    """
    first = read_recipe(request).training.seed
    folder = processes.main_decides(
        lambda: run_folder.free_run_folder(request.out, recipe=request.recipe)
    )
    results = []
    for seed in range(first, first + count):
        one = replace(request, seed=seed, out=str(folder / f"seed-{seed}"))
        result = train(one, watch=watch)
        assert result is not None
        results.append(result)
    values = [result.scores["metrics"][result.scores["metric"]]["value"] for result in results]
    floor = [result.scores["baseline"].get(result.scores["metric"], 0.0) for result in results]
    summary = {
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if count > 1 else 0.0,
        "collapsed": float(sum(value <= low for value, low in zip(values, floor, strict=True))),
    }
    return results, summary


def start_run(job: Job, trainer: loop.Trainer, request: TrainRequest) -> tuple[Progress, Path]:
    """The run directory, new or reopened to go on, and where training stands in it."""
    digests = {name: sha256(path) for name, path in job.files.items() if _is_file(path)}
    if request.resume:
        return reopen_run(job, trainer, Path(request.resume), digests), Path(request.resume)
    return Progress(), processes.main_decides(lambda: new_run(job, request, digests))


def new_run(job: Job, request: TrainRequest, digests: dict[str, str]) -> Path:
    """Create the run directory with its recipe and environment."""
    run = run_folder.new_run_folder(request.out, recipe=request.recipe)
    (run / "recipe.toml").write_text(job.recipe.to_toml(), encoding="utf-8")
    details = {
        "model": {"name": job.encoder.name, "revision": job.encoder.revision},
        "data": {name: {"path": job.files[name], "sha256": sha} for name, sha in digests.items()},
        "labels": list(job.task.labels),
        "device": job.runtime.device,
        "precision": {"used": job.runtime.precision, "reason": job.runtime.reason},
        "threads": job.runtime.threads,
        "processes": job.accelerator.num_processes,
    }
    content = run_folder.environment(job.recipe, name=job.name, details=details)
    run_folder.write_json(run / "environment.json", content)
    return run


def reopen_run(job: Job, trainer: loop.Trainer, run: Path, digests: dict[str, str]) -> Progress:
    """Load ``last/`` of a run.

    Raises:
        RunError: its data or its recipe changed, or it ran in another number of processes, whose
            sums would round differently.
    """
    known = run_folder.read_json(run / "environment.json")
    before, now = known.get("processes", 1), job.accelerator.num_processes
    if before != now:
        raise RunError(f"{run} ran in {before} processes, not {now}", hint=f"start {before}")
    for name, sha in digests.items():
        if known.get("data", {}).get(name, {}).get("sha256") != sha:
            raise RunError(f"{job.files[name]} changed since {run} was started", hint="train anew")
    job.name = str(known.get("recipe", job.name))
    model = trainer.accelerator.unwrap_model(trainer.model)
    return load_state(run / "last", model, trainer.optimizer, recipe_hash=job.recipe.hash())


def _is_file(path: str) -> bool:
    return not path.startswith(HUB) and path != "-"


def fit(
    job: Job, trainer: loop.Trainer, run: Path, *, progress: Progress, journal: Journal
) -> Iterator[StepReport]:
    """Run the loop; write journal, best/ and last/ after the steps that call for it."""
    journal.write("start", {"step": progress.step, "precision": job.runtime.precision})
    evaluate = dev_scorer(job, trainer)
    save = state_saver(job, trainer, run, progress=progress)
    with caught_signals() as received:
        for report in loop.run(trainer, progress=progress, evaluate=evaluate):
            journal.step(report)
            if report.is_best:
                save_best(job, trainer, run, report=report)
            if report.scores is not None:
                save()
            yield report
            # All processes stop after the same step, whichever of them was told to.
            if processes.summed(len(received)) and not report.is_last:
                save()
                received = received or [signal.SIGTERM]
                name = signal.Signals(received[0]).name
                journal.write("note", {"step": report.step, "text": f"stopped by {name}"})
                message = f"stopped by {name} after step {report.step}"
                hint = f"go on with: bertft train --resume {run}"
                raise Interrupted(f"{message}; {hint}", signal_number=received[0])


def dev_scorer(
    job: Job, trainer: loop.Trainer, *, first: int | None = None
) -> Callable[[], dict[str, float]]:
    """A function that scores the dev set, or its ``first`` examples, with the weights as they are.

    It leaves the task in ``job`` with what dev told it (thresholds), which is saved with the best
    weights.

    Raises:
        RecipeError: the recipe's metric is none of the task's scores.
    """
    examples = job.splits["dev"][:first]
    encoded = [one for one in job.encoded["dev"] if one.example < len(examples)]

    def evaluate() -> dict[str, float]:
        logits = compute_logits(
            trainer.accelerator.unwrap_model(trainer.model),
            encoded,
            head=trainer.head,
            batcher=trainer.batcher,
            precision=job.runtime.precision,
            together=True,
        )
        pieces = pieces_of(len(examples), encoded, logits)
        job.task = task = job.task.fit(examples, pieces)
        answers = [task.decode(*pair) for pair in zip(examples, pieces, strict=True)]
        values = task.score(examples, answers).values
        if trainer.metric not in values:
            hint = did_you_mean(trainer.metric, values)
            raise RecipeError(f"training.metric: no score '{trainer.metric}'", hint=hint)
        return values

    return evaluate


def state_saver(
    job: Job, trainer: loop.Trainer, run: Path, *, progress: Progress
) -> Callable[[], None]:
    """A function that writes ``last/``."""

    def save() -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        if trainer.accelerator.is_main_process:
            replace_folder(
                run / "last",
                lambda folder: save_state(
                    folder,
                    model,
                    trainer.optimizer,
                    progress=progress,
                    recipe_hash=job.recipe.hash(),
                ),
            )

    return save


def save_best(job: Job, trainer: loop.Trainer, run: Path, *, report: StepReport) -> None:
    """Write ``best/``: a plain Hugging Face folder plus bertft.json and a model card."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not trainer.accelerator.is_main_process:
        return
    card = {
        "task": job.recipe.task,
        "labels": list(job.task.labels),
        "learned": job.task.learned,
        "max_length": job.recipe.model.max_length,
        "recipe": job.name,
        "recipe_hash": job.recipe.hash(),
        "encoder": {"name": job.encoder.name, "revision": job.encoder.revision},
        "step": report.step,
        "dev_scores": report.scores,
    }

    def write(folder: Path) -> None:
        model.save_pretrained(folder)
        job.encoder.tokenizer.save_pretrained(folder)
        run_folder.write_json(folder / run_folder.CARD, card)
        (folder / "README.md").write_text(model_card(card, job.recipe), encoding="utf-8")

    replace_folder(run / "best", write)


def finish(
    job: Job, run: Path, *, journal: Journal, progress: Progress, watch: Watch
) -> TrainResult:
    """Score the best checkpoint on test (or dev) and write the run's scores."""
    split = "test" if "test" in job.splits else "dev"
    processes.wait()  # the main one has just written best/
    predictor = load(run / "best", device=job.runtime.device, precision=job.runtime.precision)
    predictor.together = True
    path = job.files.get(split, job.recipe.data.train)
    metric = job.recipe.training.metric
    scored = score_split(
        predictor, job.splits[split], split=split, path=path, metric=metric, watch=watch
    )
    if split == "dev":
        chose = ", which chose the checkpoint" if job.recipe.training.keep == "best" else ""
        watch.note(f"no test set: the scores are those of dev{chose}")
    content = scores_content(scored)
    if processes.is_main():
        write_scores(run, scored, content)
    kept = progress.best_step if job.recipe.training.keep == "best" else progress.step
    journal.write("finish", {"split": split, "best_step": kept})
    return TrainResult(run, job.task.name, split, content, progress.best_score)
