"""Dev scores while weights are learned: what the loop asks for, and what is learned from dev."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from bertft.contracts import Encoded, Pieces, Task
from bertft.encoder.pieces import pieces_of
from bertft.errors import RecipeError, did_you_mean
from bertft.evaluation.calibration import Evidence
from bertft.jobs.prepare import Job
from bertft.tasks import answers_of
from bertft.training import loop
from bertft.training.adapters import merged
from bertft.training.inference import compute_logits

SAMPLE = 256
"""Examples that tell what scoring costs."""


def dev_scorer(job: Job, trainer: loop.Trainer) -> loop.Evaluate | None:
    """A function that scores the dev set with the weights as they are; None where there is none.

    It leaves the task in ``job`` with what dev told it (thresholds, calibration), and the evidence
    for that, which are saved with the best weights.
    """
    if "dev" not in job.splits:
        return None
    examples, encoded = job.splits["dev"], job.encoded["dev"]

    def evaluate() -> dict[str, float]:
        pieces = _pieces(job, trainer, len(examples), encoded)
        job.task = task = job.task.fit(examples, pieces)
        values, job.dev = _scores(task, examples, pieces)
        return values

    return evaluate


def check_metric(job: Job, trainer: loop.Trainer) -> None:
    """Score one example. RecipeError where the recipe's metric is none of the task's scores."""
    split = "dev" if "dev" in job.splits else "train"
    examples = job.splits[split][:1]
    encoded = [one for one in job.encoded[split] if one.example == 0]
    values, _ = _scores(job.task, examples, _pieces(job, trainer, 1, encoded))
    if trainer.metric not in values:
        hint = did_you_mean(trainer.metric, values)
        raise RecipeError(f"training.metric: no score '{trainer.metric}'", hint=hint)


def scoring_seconds(job: Job, trainer: loop.Trainer) -> float:
    """Seconds of an example, told from SAMPLE of them; the job stays as it is."""
    split = "dev" if "dev" in job.splits else "train"
    examples = job.splits[split][:SAMPLE]
    encoded = [one for one in job.encoded[split] if one.example < len(examples)]
    started = time.perf_counter()
    pieces = _pieces(job, trainer, len(examples), encoded)
    _scores(job.task.fit(examples, pieces), examples, pieces)
    return (time.perf_counter() - started) / len(examples)


def _pieces(
    job: Job, trainer: loop.Trainer, count: int, encoded: Sequence[Encoded]
) -> list[Pieces]:
    model = trainer.accelerator.unwrap_model(trainer.model)
    with merged(model):
        logits = compute_logits(
            model,
            encoded,
            head=trainer.head,
            batcher=trainer.batcher,
            precision=job.runtime.precision,
            together=True,
        )
    return pieces_of(count, encoded, logits)


def _scores(
    task: Task[Any], examples: Sequence[Any], pieces: Sequence[Pieces]
) -> tuple[dict[str, float], Evidence | None]:
    """The task's scores, the mean loss of an example as ``loss`` where there is gold for it; and
    the evidence for its calibration."""
    answers = answers_of(task, examples, pieces)
    golds = [task.gold(*one) for one in zip(examples, answers, pieces, strict=True)]
    losses = [one["loss"] for one in golds if "gold" in one]
    loss = {"loss": statistics.fmean(losses)} if losses else {}
    return task.score(examples, answers).values | loss, task.evidence(answers, golds)
