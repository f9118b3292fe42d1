"""What fits a time: a prepared job and its measured first steps in, epochs and share of data out.

    spent so far + start + share * epochs * training + evaluations + end <= seconds

The answer is a recipe like any other (``training.epochs``, ``data.train_share``), so that the run
has its whole schedule, goes on exactly where it was stopped, and can be trained again.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertft.contracts import SelfSupervised
from bertft.errors import RecipeError
from bertft.jobs.cost import duration, first_steps, preview_of, seconds_a_token
from bertft.jobs.dev import scoring_seconds
from bertft.jobs.prepare import Job
from bertft.jobs.request import TrainRequest
from bertft.loaders.files import STDIN
from bertft.runs.saving import state_of
from bertft.settings import Recipe
from bertft.training import loop, processes
from bertft.training.checkpoint import save_state
from bertft.training.folders import replace_folder
from bertft.training.progress import Progress
from bertft.watch import StepReport
from bertft.words import seconds_of

PLANNED = 0.97
"""Share of a budget that is planned for: speeds drift."""
MEASURED = 0.02
"""Share of a budget that measured steps may take."""
END = 3.0
"""Seconds of what is not measured: intervals, cards, the end of the process."""
SHOWN = (300, 900, 3600)
"""Budgets, in seconds, of which a dry run tells."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of the parts of a run; ``epoch`` and ``steps`` are those of all training rows."""

    before: float
    """All that comes before the first step."""
    epoch: float
    steps: int
    evaluation: float
    """Of dev, with the checkpoints that are saved after it."""
    every: int
    """Steps between evaluations; 0 for one after each epoch."""
    after: float

    def evaluations(self, epochs: int, share: float) -> float:
        return epochs * share * self.steps / self.every if self.every else epochs

    def total(self, epochs: int, share: float) -> float:
        evaluating = self.evaluations(epochs, share) * self.evaluation
        return self.before + epochs * share * self.epoch + evaluating + self.after


@dataclass(frozen=True, slots=True)
class Fit:
    """Epochs of a share of the rows; ``whole`` is the recipe as it is."""

    epochs: int
    share: float
    whole: bool


def measured_costs(
    job: Job,
    trainer: loop.Trainer,
    request: TrainRequest,
    *,
    again: float,
    steps: Sequence[StepReport] = (),
) -> Costs:
    """Of a job whose first steps are taken for this, and whose weights are of no use after it.

    ``again`` is what reading, encoding and building took, and take once more. ``steps`` are those
    that were taken already.
    """
    longest = MEASURED * seconds_of(request.budget) if request.budget else 0.0
    steps = steps or first_steps(trainer, seconds=longest)
    each, saving = scoring_seconds(job, trainer), _saving_seconds(trainer)
    sizes = {split: len(examples) for split, examples in job.splits.items()}
    return Costs(
        before=time.monotonic() - request.began + again + saving,
        epoch=trainer.plan.tokens_per_round * seconds_a_token(steps),
        steps=trainer.plan.steps_per_epoch,
        evaluation=each * sizes.get("dev", 0) + 1.5 * saving,
        every=job.recipe.training.evaluate_every,
        after=each * sizes.get("test", sizes.get("dev", 0)) + saving + END,
    )


def _saving_seconds(trainer: loop.Trainer) -> float:
    """Of one checkpoint."""
    state, started = state_of(trainer), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        replace_folder(
            Path(folder) / "last",
            lambda to: save_state(to, state, progress=Progress(), depends={}),
        )
    return time.monotonic() - started


def fit(costs: Costs, *, epochs: int, seconds: float) -> Fit | None:
    """The most training of at most ``epochs`` that takes ``seconds``; None where none does."""
    fitting = [one for one in range(1, epochs + 1) if costs.total(one, 1.0) <= seconds]
    if len(fitting) == epochs:
        return Fit(epochs, 1.0, whole=True)
    count = len(fitting) + 1
    fixed = costs.total(count, 0.0)
    share = (seconds - fixed) / (costs.total(count, 1.0) - fixed)
    share = math.floor(share * 1000) / 1000
    return Fit(count, share, whole=False) if share * costs.steps >= 1 else None


def recipe_within(
    job: Job, trainer: loop.Trainer, request: TrainRequest, *, again: float
) -> tuple[Recipe, str]:
    """The recipe that fits the request's budget, and what is said of it.

    Raises:
        RecipeError: not one step fits, or nothing can be planned for such a job.
    """
    budget, recipe = request.budget, job.recipe
    seconds = seconds_of(budget)
    if STDIN in (recipe.data.train, *recipe.data.further):
        raise RecipeError("--budget reads the data twice", hint="save them to a file")
    if not _can_be_planned(job):
        what = "--budget plans the fine-tuning of a task in one process"
        raise RecipeError(what, hint="leave it out; --dry-run tells what training would cost")
    costs = measured_costs(job, trainer, request, again=again)
    found = fit(costs, epochs=recipe.training.epochs, seconds=PLANNED * seconds)
    if found is None:
        least = costs.total(1, 1 / costs.steps) / PLANNED
        what = f"--budget {budget}: one step, with reading, scoring and saving, takes about"
        hint = f"--budget {math.ceil(least / 60)}m or more"
        raise RecipeError(f"{what} {duration(least)}", hint=hint)
    data = recipe.data.model_copy(update={"train_share": recipe.data.train_share * found.share})
    training = recipe.training.model_copy(update={"epochs": found.epochs})
    said = f"--budget {budget}: {told(job, costs, found)}"
    return recipe.model_copy(update={"data": data, "training": training}), said


def _can_be_planned(job: Job) -> bool:
    is_tuned = job.recipe.training.mode == "fine-tune" and not isinstance(job.task, SelfSupervised)
    return is_tuned and processes.count() == 1


def told(job: Job, costs: Costs, found: Fit) -> str:
    """What is trained, and what its parts take."""
    epochs = f"{found.epochs} epoch{'s' if found.epochs > 1 else ''}"
    rows = len(job.splits["train"])
    what = f"the whole recipe, {epochs}" if found.whole else f"{epochs} of {found.share:.1%}"
    if not found.whole:
        what += f" of the rows (about {found.share * rows:,.0f} of {rows:,})"
    evaluating = costs.evaluations(found.epochs, found.share) * costs.evaluation
    parts = {
        "start": costs.before,
        "training": found.epochs * found.share * costs.epoch,
        "evaluations and checkpoints": evaluating,
        "end": costs.after,
    }
    listed = ", ".join(f"{name} {duration(value)}" for name, value in parts.items())
    return f"{what}, in about {duration(sum(parts.values()))} ({listed})"


def costs_told(
    job: Job, trainer: loop.Trainer, request: TrainRequest, *, again: float
) -> Iterator[str]:
    """For a dry run: what the training costs, and what fits each time of SHOWN, until all does."""
    steps = first_steps(trainer)
    yield preview_of(trainer, steps)
    if not _can_be_planned(job):
        return
    costs = measured_costs(job, trainer, request, again=again, steps=steps)
    for seconds in SHOWN:
        found = fit(costs, epochs=job.recipe.training.epochs, seconds=PLANNED * seconds)
        budget = f"--budget {seconds // 60}m"
        yield f"{budget}: {told(job, costs, found) if found else 'not one step'}"
        if found and found.whole:
            return
