"""What fits a time: a prepared job and its measured first steps in, epochs and share of data out.

    spent so far + building + share * (encoding + epochs * training) + evaluations + end <= seconds

Features mode encodes its texts once, and its head learns in all its epochs: a share of the texts is
what gives. Few-shot mode takes few texts several times, so that a share of them is no quicker: it
is planned by whole epochs. The answer is a recipe like any other (``training.epochs``,
``data.train_share``), so that the run has its whole schedule, goes on exactly where it was stopped,
and can be trained again.
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
from bertft.jobs.features import encoding_cost, seconds_to_encode, use_made_up_states
from bertft.jobs.prepare import Job
from bertft.jobs.request import TrainRequest
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
"""Share of a budget for which steps are measured, where that is more of them (cost.enough)."""
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
    encoding: float = 0.0
    """Of all training texts, once, whatever the epochs are (features mode)."""
    tokens: float = 0.0
    """Of the same to tokens, in any mode."""

    def evaluations(self, epochs: int, share: float) -> float:
        return epochs * share * self.steps / self.every if self.every else epochs

    def total(self, epochs: int, share: float) -> float:
        evaluating = self.evaluations(epochs, share) * self.evaluation
        learning = share * (epochs * self.epoch + self.encoding + self.tokens)
        return self.before + learning + evaluating + self.after


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

    ``again`` is what reading, encoding and building took; the last two are done once more.
    ``steps`` are those that were taken already.
    """
    mode, sizes = job.recipe.training.mode, {k: len(rows) for k, rows in job.splits.items()}
    encoding: dict[str, float] = {}
    answering = 0.0
    if mode == "features":
        encoding, answering = seconds_to_encode(job, trainer), scoring_seconds(job, trainer)
        use_made_up_states(job, trainer)
    longest = MEASURED * seconds_of(request.budget) if request.budget else 0.0
    steps = steps or first_steps(trainer, seconds=longest)
    each, saving = scoring_seconds(job, trainer), _saving_seconds(trainer)
    # In few-shot mode the head is fitted before it is scored, from one more pass over the texts.
    fitting = each * sizes["train"] if mode == "few-shot" else 0.0
    last = sizes.get("test", sizes.get("dev", 0))
    plan, building = trainer.plan, max(0.0, again - job.reading - job.encoding)
    return Costs(
        before=time.monotonic() - request.began + building + saving + encoding.get("dev", 0.0),
        epoch=plan.tokens_per_round * plan.rounds * seconds_a_token(steps),
        steps=plan.steps_per_epoch,
        evaluation=each * sizes.get("dev", 0) + 1.5 * saving + fitting,
        every=job.recipe.training.evaluate_every,
        after=(answering or each) * last + saving + END,  # a saved model reads texts
        encoding=encoding.get("train", 0.0),
        tokens=job.encoding,
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


def fit(
    costs: Costs, *, epochs: int, seconds: float, least: int = 1, in_shares: bool = True
) -> Fit | None:
    """The most training of ``least`` to ``epochs`` that takes ``seconds``; None where none does.

    Where it is not all, the last epoch that does not fit whole does for a share of the rows; or is
    left out, without ``in_shares``.
    """
    fitting = [one for one in range(least, epochs + 1) if costs.total(one, 1.0) <= seconds]
    if epochs in fitting:
        return Fit(epochs, 1.0, whole=True)
    if not in_shares:
        return Fit(fitting[-1], 1.0, whole=False) if fitting else None
    count = least + len(fitting)
    fixed = costs.total(count, 0.0)
    share = (seconds - fixed) / (costs.total(count, 1.0) - fixed)
    share = math.floor(share * 1000) / 1000
    return Fit(count, share, whole=False) if share * costs.steps >= 1 else None


def fit_job(job: Job, costs: Costs, *, seconds: float) -> Fit | None:
    """What of a job's recipe fits a budget of ``seconds``."""
    settings = job.recipe.training
    return fit(
        costs,
        epochs=settings.epochs,
        seconds=PLANNED * seconds,
        least=settings.epochs if settings.mode == "features" else 1,
        in_shares=settings.mode != "few-shot",
    )


def recipe_within(
    job: Job, trainer: loop.Trainer, request: TrainRequest, *, again: float
) -> tuple[Recipe, str]:
    """The recipe that fits the request's budget, and what is said of it.

    Raises:
        RecipeError: not one step fits, or nothing can be planned for such a job.
    """
    budget, recipe = request.budget, job.recipe
    seconds = seconds_of(budget)
    if not _can_be_planned(job):
        what = "--budget plans the training of a task in one process"
        raise RecipeError(what, hint="leave it out; --dry-run tells what training would cost")
    costs = measured_costs(job, trainer, request, again=again)
    found = fit_job(job, costs, seconds=seconds)
    if found is None:
        raise _too_short(job, costs, budget)
    data = recipe.data.model_copy(update={"train_share": recipe.data.train_share * found.share})
    training = recipe.training.model_copy(update={"epochs": found.epochs})
    said = f"--budget {budget}: {told(job, costs, found)}"
    return recipe.model_copy(update={"data": data, "training": training}), said


def _can_be_planned(job: Job) -> bool:
    return not isinstance(job.task, SelfSupervised) and processes.count() == 1


def _too_short(job: Job, costs: Costs, budget: str) -> RecipeError:
    """What the least training takes, and why it is not less."""
    settings = job.recipe.training
    step = 1 / costs.steps
    epochs, share, what, other = {
        "few-shot": (1, 1.0, "an epoch of few-shot mode", ", or --set training.mode=features"),
        "features": (settings.epochs, step, "one step of each epoch", ""),
    }.get(settings.mode, (1, step, "one step", ""))
    least = costs.total(epochs, share) / PLANNED
    said = f"{what}, with reading, scoring and saving, takes about {duration(least)}"
    if settings.mode == "few-shot":
        said += " (it is not cut: a share of few texts is taken more often)"
    hint = f"--budget {math.ceil(least / 60)}m or more{other}"
    return RecipeError(f"--budget {budget}: {said}", hint=hint)


def told(job: Job, costs: Costs, found: Fit) -> str:
    """What is trained, and what its parts take."""
    epochs = f"{found.epochs} epoch{'s' if found.epochs > 1 else ''}"
    rows = len(job.splits["train"])
    what = f"the whole recipe, {epochs}" if found.whole else epochs
    if found.share < 1:
        what += f" of {found.share:.1%} of the rows (about {found.share * rows:,.0f} of {rows:,})"
    evaluating = costs.evaluations(found.epochs, found.share) * costs.evaluation
    encoding = found.share * (costs.encoding + costs.tokens)
    parts = {
        "start": costs.before,
        **({"encoding": encoding} if costs.encoding or encoding >= 0.5 else {}),
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
    steps: Sequence[StepReport] = ()
    if job.recipe.training.mode == "features":
        yield encoding_cost(job, trainer)
    else:
        steps = first_steps(trainer)
        yield preview_of(trainer, steps)
    if not _can_be_planned(job):
        return
    costs = measured_costs(job, trainer, request, again=again, steps=steps)
    for seconds in SHOWN:
        found = fit_job(job, costs, seconds=seconds)
        budget = f"--budget {seconds // 60}m"
        yield f"{budget}: {told(job, costs, found) if found else 'not one step'}"
        if found and found.whole:
            return
