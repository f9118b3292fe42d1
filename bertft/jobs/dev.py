"""Dev scores while weights are learned: what the loop asks for, and what is learned from dev."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bertft.contracts import Answer, Pieces
from bertft.errors import RecipeError, did_you_mean
from bertft.jobs.prepare import Job
from bertft.training import loop
from bertft.training.inference import compute_logits, pieces_of


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
