"""All that comes before the first step: a request in; a Job, its trainer and a run directory out.

A new run is created with a checkpoint to start from; a stopped one is brought back to its newest.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from bertft.collector import paused_collector
from bertft.contracts import Ranking, SelfSupervised
from bertft.encoder.cut import kept_layers
from bertft.encoder.load import read_config
from bertft.errors import RunError
from bertft.heads.inherited import inherited
from bertft.jobs.build import build_model, make_trainer, training_plan
from bertft.jobs.dev import check_metric, dev_scorer
from bertft.jobs.features import feature_notes, learn_from_states
from bertft.jobs.few_shot import few_shot_notes, proposal
from bertft.jobs.lora import lora_notes
from bertft.jobs.lower_layers import frozen_note, keep_lower_states
from bertft.jobs.prepare import Job, Read, prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.recipe import load_recipe
from bertft.runs.budget import costs_told, recipe_within
from bertft.runs.environment import environment
from bertft.runs.folder import free_run_folder, new_run_folder
from bertft.runs.inputs import found_recipe, given_inputs, recorded_recipe
from bertft.runs.lock import locked
from bertft.runs.resume import best_is_lost, find_checkpoint, go_on, other_inputs
from bertft.runs.saving import Describe, save_best, state_of, write_state
from bertft.runs.stops import stops_told
from bertft.runs.stored import NEEDED, check_environment, read_environment
from bertft.runs.tracker import check_tracker
from bertft.runs.writing import new_file, write_json
from bertft.settings import Recipe
from bertft.training import loop, processes
from bertft.training.checkpoint import Checkpoint, State
from bertft.training.journal import Journal, cut_back
from bertft.training.progress import Progress
from bertft.watch import Silent, TrainingPlan, Watch


def start(
    request: TrainRequest,
    *,
    describe: Describe,
    watch: Watch,
    held: ExitStack,
    read: Read | None = None,
) -> tuple[Job, loop.Trainer, Progress, Path] | None:
    """All that comes before the first step; None for a dry run.

    The lock on the run directory is left in ``held``. ``read`` are the data, if they were read.
    """
    run = Path(request.resume) if request.resume else None
    with stops_told(run):
        recipe = read_recipe(request)
        check_tracker(recipe)
        processes.join(cpu=recipe.training.device == "cpu")
        checkpoint, before = None, None
        if run is not None:
            lock(run, watch=watch, held=held)
            find = partial(find_checkpoint, run, recipe, watch=watch)
            checkpoint = processes.main_decides(find)
            before = checkpoint.depends["environment"]
            given = given_inputs(request)
            recipe = found_recipe(recipe, before, run, given=given, tell=watch.note)
        elif processes.is_main():
            free_run_folder(request.out, recipe=request.recipe)
        if request.repeats:
            recipe, before = recorded(Path(request.repeats), recipe, watch=watch)
        started = time.monotonic()
        job, model, trainer = ready(recipe, request, watch=watch, before=before, read=read)
        if request.repeats and before is not None:
            refuse_other_inputs(job, Path(request.repeats), before)
        tell_of_layers(job, watch=watch)
        tell_of_head(job, model, watch=watch)
        check_metric(job, trainer)  # one that does not exist is told before training
        again = time.monotonic() - started
        if request.budget:
            recipe, said = recipe_within(job, trainer, request, again=again)
            watch.note(said)
            # The measured steps changed the weights: all is made anew of the recipe that fits.
            read = job.read
            del job, model, trainer
            job, model, trainer = ready(recipe, request, watch=Silent(), before=None, read=read)
        plan = training_plan(job, trainer, model, out=request.resume or request.out)
        watch.plan(plan)
        from_states = recipe.training.mode == "features"
        for note in mode_notes(job, trainer):
            watch.note(note)
        if request.dry_run:
            if not request.budget:  # what fits that has been told
                for note in costs_told(job, trainer, request, again=again):
                    watch.note(note)
            return None
        if from_states:
            learn_from_states(job, trainer, watch=watch)
        else:
            keep_lower_states(job, trainer, watch=watch)
        if run is not None and checkpoint is not None:
            reopen_run(job, trainer, run, checkpoint=checkpoint, describe=describe, watch=watch)
            return job, trainer, checkpoint.progress, run
        state = state_of(trainer)
        score_before(job, trainer, watch=watch)
        run = processes.main_decides(partial(create_run, job, state, request, plan=plan))
        lock(run, watch=watch, held=held)
        watch.note(f"run directory: {run}")
        return job, trainer, Progress(), run


def ready(
    recipe: Recipe,
    request: TrainRequest,
    *,
    watch: Watch,
    before: dict[str, Any] | None,
    read: Read | None,
) -> tuple[Job, PreTrainedModel, loop.Trainer]:
    """All that training starts from."""
    with paused_collector():  # the examples and their tokens stay
        job = prepare(recipe, request, watch=watch, before=before, read=read)
    model, head = build_model(job)
    return job, model, make_trainer(job, model, head)


def mode_notes(job: Job, trainer: loop.Trainer) -> Iterable[str]:
    """What the mode of training means here, or which other one suits the data."""
    mode = job.recipe.training.mode
    if mode == "features":
        return feature_notes(job, trainer)
    if mode == "lora":
        return lora_notes(job, trainer)
    return (
        few_shot_notes(job, trainer)
        if mode == "few-shot"
        else filter(None, [frozen_note(job), proposal(job)])
    )


def score_before(job: Job, trainer: loop.Trainer, *, watch: Watch) -> None:
    """Tell the dev scores of an encoder that can do already what it is trained for."""
    evaluate = dev_scorer(job, trainer)
    if isinstance(job.task, Ranking) and evaluate is not None:
        job.before = evaluate()
        scores = ", ".join(f"{name} {value:.4f}" for name, value in job.before.items())
        watch.note(f"before training: dev {scores}")


def recorded(run: Path, recipe: Recipe, *, watch: Watch) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of a run that is repeated, its inputs where they are now; its environment."""
    path = run / "environment.json"
    before = read_environment(path)
    check_environment(before, where=path, needed=NEEDED)
    return found_recipe(recipe, before, run, given={}, tell=watch.note), before


def refuse_other_inputs(job: Job, run: Path, before: Mapping[str, Any]) -> None:
    """Raise RunError where what a run is repeated from is not what it was made from."""
    if found := other_inputs(before, environment(job)):
        hint = f"put them back, or train anew: bertft train {run / 'recipe.toml'}"
        raise RunError(f"{run} cannot be repeated: {', '.join(found)}", hint=hint)


def tell_of_layers(job: Job, *, watch: Watch) -> None:
    """Say which layers of the encoder are kept, where not all are."""
    if layers := job.recipe.model.layers:
        depth = read_config(job.encoder.folder).num_hidden_layers
        kept = kept_layers(layers, depth=depth, name=job.encoder.name)
        numbers = ", ".join(map(str, kept))
        one = len(kept) == 1
        what = f"layer{'s' * (not one)} {numbers} of {depth} {'is' if one else 'are'} kept"
        watch.note(f"{job.encoder.name}: {what}")


def tell_of_head(job: Job, model: PreTrainedModel, *, watch: Watch) -> None:
    """Say what became of the head of a model that had one."""
    said = inherited(model, job.encoder.folder).said
    if job.recipe.training.mode == "few-shot":
        said = said and "its head is not kept: few-shot mode fits a new one"
    if said and not isinstance(job.task, SelfSupervised):
        watch.note(f"{job.encoder.name}: {said}")


def lock(run: Path, *, watch: Watch, held: ExitStack) -> None:
    """Lock the run directory; of several processes the main one does, for all of them."""
    if processes.is_main():
        held.enter_context(locked(run, tell=watch.note))


def create_run(job: Job, state: State, request: TrainRequest, *, plan: TrainingPlan) -> Path:
    """Create the run directory: recipe, environment, journal, and a checkpoint to start from."""
    job.recipe = recorded_recipe(job.recipe)
    job.environment = environment(job)

    def write(folder: Path) -> None:
        with new_file(folder / "recipe.toml") as file:
            file.write(job.recipe.to_toml())
        write_json(folder / "environment.json", job.environment)
        journal = Journal(folder / "journal.jsonl")
        journal.write("plan", asdict(plan))
        journal.flush()
        journal.close()
        write_state(job, state, folder, progress=Progress())

    return new_run_folder(request.out, recipe=request.recipe, write=write)


def record_places(job: Job, run: Path) -> None:
    """Say in a run that goes on where its inputs are now."""
    if load_recipe(str(run / "recipe.toml")) != job.recipe:
        write_json(run / "environment.json", job.environment)
        with new_file(run / "recipe.toml") as file:
            file.write(job.recipe.to_toml())


def reopen_run(
    job: Job,
    trainer: loop.Trainer,
    run: Path,
    *,
    checkpoint: Checkpoint,
    describe: Describe,
    watch: Watch,
) -> None:
    """Bring model, optimizer, best/ and journal back to where a checkpoint was saved."""
    step = checkpoint.progress.step
    for what in go_on(job, trainer, run, checkpoint=checkpoint):
        watch.note(f"not as when the run was started: {what}")
    if processes.is_main():
        record_places(job, run)
    if lost := processes.main_decides(partial(best_is_lost, run, checkpoint)):
        watch.note(f"{lost}: made again of the weights of step {step}")
        evaluate = dev_scorer(job, trainer)
        scores = evaluate() if evaluate else None
        save_best(job, trainer, run, step=step, scores=scores, describe=describe)
    if processes.is_main():
        cut_back(run / "journal.jsonl", step=step)
    watch.note(f"going on after step {step} of {run}")
