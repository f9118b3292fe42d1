"""train: a recipe in, a run directory out.

    recipe -> prepared Job (prepare.py) -> plan -> loop -> last/, best/ -> scores

Read order: train, then the steps in the order in which ``train`` calls them.
"""

from __future__ import annotations

import math
import signal
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bertft.checks.findings import unseen_scores
from bertft.collector import paused_collector
from bertft.commands.evaluate import score_split, scores_content, write_scores
from bertft.contracts import LOWER, Answer, Pieces, Progress, StepReport, is_better
from bertft.errors import Interrupted, RecipeError, did_you_mean
from bertft.jobs.build import build_model, make_trainer, training_plan
from bertft.jobs.cost import CostPreview, measure_cost
from bertft.jobs.features import encoding_cost, feature_notes, learn_from_states
from bertft.jobs.prepare import Job, TrainRequest, prepare, read_recipe
from bertft.prediction.predictor import load
from bertft.reports.model_card import model_card
from bertft.reports.report import read_about
from bertft.runs import folder as run_folder
from bertft.runs.resume import best_is_lost, environment, find_checkpoint, go_on
from bertft.runs.saving import SaveClock, save_best, state_of, state_saver, write_state
from bertft.runs.signals import caught_signals, raised_signals
from bertft.runs.stops import stops_told
from bertft.training import loop, processes
from bertft.training.checkpoint import Checkpoint, State, discard_folder, saved_folders
from bertft.training.inference import compute_logits, pieces_of
from bertft.training.journal import Journal, cut_back
from bertft.watch import Recorder, Silent, TrainingPlan, Watch


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The run directory and its final scores, as scores.json has them."""

    run: Path
    task: str
    split: str
    scores: dict[str, Any]
    best_dev: float | None


def train(request: TrainRequest, *, watch: Watch | None = None) -> TrainResult | None:
    """Fine-tune; returns None for a dry run.

    Raises:
        BertftError: the recipe, data, model or run directory is at fault, the disk is full, or
            training cannot go on.
        Interrupted: SIGINT or SIGTERM came; the step was finished and ``last/`` saved.
    """
    watch = Recorder(watch or Silent())
    with raised_signals(), ExitStack() as held:
        started = start(request, watch=watch, held=held)
        if started is None:
            return None
        job, trainer, progress, run = started
        with stops_told(run):
            journal = Journal(run / "journal.jsonl" if processes.is_main() else None)
            try:
                journal.notes(watch.take_notes())
                steps = fit(job, trainer, run, progress=progress, journal=journal, watch=watch)
                preview = CostPreview(trainer)
                for report in steps:
                    watch.step(report)
                    if cost := preview.after(report):
                        watch.note(cost)
                return finish(job, run, journal=journal, progress=progress, watch=watch)
            finally:
                journal.notes(watch.take_notes())
                journal.close()


def start(
    request: TrainRequest, *, watch: Watch, held: ExitStack
) -> tuple[Job, loop.Trainer, Progress, Path] | None:
    """All that comes before the first step; None for a dry run.

    The lock on the run directory is left in ``held``.
    """
    run = Path(request.resume) if request.resume else None
    with stops_told(run):
        recipe = read_recipe(request)
        processes.join(cpu=recipe.training.device == "cpu")
        checkpoint, before = None, None
        if run is not None:
            lock(run, watch=watch, held=held)
            find = partial(find_checkpoint, run, recipe, watch=watch)
            checkpoint = processes.main_decides(find)
            before = checkpoint.depends["environment"]
        elif processes.is_main():
            run_folder.free_run_folder(request.out, recipe=request.recipe)
        with paused_collector():  # the examples and their tokens stay
            job = prepare(recipe, request, watch=watch, before=before)
        model, head = build_model(job)
        trainer = make_trainer(job, model, head)
        dev_scorer(job, trainer, first=1)()  # a metric that does not exist is told before training
        plan = training_plan(job, trainer, model, out=request.resume or request.out)
        watch.plan(plan)
        from_states = recipe.training.mode == "features"
        for note in feature_notes(job, trainer) if from_states else ():
            watch.note(note)
        if request.dry_run:
            watch.note(encoding_cost(job, trainer) if from_states else measure_cost(trainer))
            return None
        if from_states:
            learn_from_states(job, trainer, watch=watch)
        if run is not None and checkpoint is not None:
            reopen_run(job, trainer, run, checkpoint=checkpoint, watch=watch)
            return job, trainer, checkpoint.progress, run
        state = state_of(trainer)
        run = processes.main_decides(partial(create_run, job, state, request, plan=plan))
        lock(run, watch=watch, held=held)
        watch.note(f"run directory: {run}")
        return job, trainer, Progress(), run


def lock(run: Path, *, watch: Watch, held: ExitStack) -> None:
    """Lock the run directory; of several processes the main one does, for all of them."""
    if processes.is_main():
        held.enter_context(run_folder.locked(run, tell=watch.note))


def train_seeds(
    request: TrainRequest, *, count: int, watch: Watch | None = None
) -> tuple[list[TrainResult], dict[str, float]]:
    """The same recipe with ``count`` seeds; the metric's mean and standard deviation over the runs.

    ``collapsed`` counts runs whose dev score is no better than always answering the majority class.
    """
    settings = read_recipe(request).training
    processes.join(cpu=settings.device == "cpu")
    first = settings.seed
    folder = processes.main_decides(
        lambda: run_folder.free_run_folder(request.out, recipe=request.recipe)
    )
    results = []
    for seed in range(first, first + count):
        one = replace(request, seed=seed, out=str(folder / f"seed-{seed}"))
        result = train(one, watch=watch)
        assert result is not None
        results.append(result)
    metric = results[0].scores["metric"]
    worst = math.inf if metric in LOWER else 0.0
    values = [one.scores["metrics"][metric]["value"] for one in results]
    floor = [one.scores["baseline"].get(metric, worst) for one in results]
    summary = {
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if count > 1 else 0.0,
        "collapsed": float(
            sum(
                not is_better(metric, one, than=low) for one, low in zip(values, floor, strict=True)
            )
        ),
    }
    return results, summary


def create_run(job: Job, state: State, request: TrainRequest, *, plan: TrainingPlan) -> Path:
    """Create the run directory: recipe, environment, journal, and a checkpoint to start from."""
    job.environment = environment(job)

    def write(folder: Path) -> None:
        with run_folder.new_file(folder / "recipe.toml") as file:
            file.write(job.recipe.to_toml())
        run_folder.write_json(folder / "environment.json", job.environment)
        journal = Journal(folder / "journal.jsonl")
        journal.write("plan", asdict(plan))
        journal.flush()
        journal.close()
        write_state(job, state, folder, progress=Progress())

    return run_folder.new_run_folder(request.out, recipe=request.recipe, write=write)


def reopen_run(
    job: Job, trainer: loop.Trainer, run: Path, *, checkpoint: Checkpoint, watch: Watch
) -> None:
    """Bring model, optimizer, best/ and journal back to where a checkpoint was saved."""
    step = checkpoint.progress.step
    for what in go_on(job, trainer, run, checkpoint=checkpoint):
        watch.note(f"not as when the run was started: {what}")
    if lost := processes.main_decides(partial(best_is_lost, run, checkpoint)):
        watch.note(f"{lost}: made again of the weights of step {step}")
        scores = dev_scorer(job, trainer)()
        save_best(job, trainer, run, step=step, scores=scores, card_text=model_card)
    if processes.is_main():
        cut_back(run / "journal.jsonl", step=step)
    watch.note(f"going on after step {step} of {run}")


def fit(
    job: Job,
    trainer: loop.Trainer,
    run: Path,
    *,
    progress: Progress,
    journal: Journal,
    watch: Watch,
) -> Iterator[StepReport]:
    """Run the loop; write journal, best/ and last/ after the steps that call for it."""
    journal.write("start", {"step": progress.step, "precision": job.runtime.precision})
    evaluate = dev_scorer(job, trainer)
    save = state_saver(job, trainer, run, progress=progress)
    clock = SaveClock(save, step=progress.step, every=job.recipe.training.save_every)
    with caught_signals(tell=watch.note) as received:
        for report in loop.run(trainer, progress=progress, evaluate=evaluate):
            journal.step(report)
            if report.is_best:
                save_best(
                    job,
                    trainer,
                    run,
                    step=report.step,
                    scores=report.scores,
                    card_text=model_card,
                )
            if report.scores is not None or clock.is_due(report.step):
                journal.flush()
                clock.save(report.step)
            yield report
            # All processes save, and stop, after the same step, whichever of them was told to.
            waited, told = processes.summed(clock.time_is_up(), len(received))
            clock.is_agreed = waited > 0
            if told and not report.is_last:
                journal.flush()
                clock.save(report.step)
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
        return values | dev_loss(task, examples, answers, pieces)

    return evaluate


def dev_loss(
    task: Any, examples: Sequence[Any], answers: Sequence[Answer], pieces: Sequence[Pieces]
) -> dict[str, float]:
    """The mean loss of an example, as ``loss``; where there is no gold the scores tell it."""
    golds = [task.gold(*one) for one in zip(examples, answers, pieces, strict=True)]
    losses = [one["loss"] for one in golds if "gold" in one]
    return {"loss": statistics.fmean(losses)} if losses else {}


def finish(
    job: Job, run: Path, *, journal: Journal, progress: Progress, watch: Recorder
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
    examples = job.splits[split]
    unseen = unseen_scores(job.task, job.splits["train"], examples, scored.answers)
    if unseen:
        seen, value = len(examples) - unseen["n"], unseen["metrics"][scored.metric]
        watch.note(
            f"{seen} of {len(examples)} examples of {split} are also in train; "
            f"without them {scored.metric} is {value:.4f}"
        )
    journal.notes(watch.take_notes())
    kept = progress.best_step if job.recipe.training.keep == "best" else progress.step
    journal.write("finish", {"split": split, "best_step": kept})
    journal.flush()
    content = scores_content(scored, unseen=unseen)
    if processes.is_main():
        for folder in saved_folders(run / "last")[1:]:
            discard_folder(folder)
        about = read_about(run, task=job.recipe.task)
        write_scores(run, scored, content, about=about)  # from here on the run counts as finished
    return TrainResult(run, job.task.name, split, content, progress.best_score)
