"""Few-shot mode: the encoder learns which texts have the same label, then a head is fitted.

    encoded texts, each several times -> steps of contrast (heads/contrastive.py) on the one loop
    -> vectors of the texts -> the last layer, fitted at once (heads/fitted.py) -> scores

The head is fitted before weights are scored or kept, so that what is scored and kept is a whole
model: the encoder with the head that suits it.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from bertft.heads.contrastive import ContrastiveHead
from bertft.heads.fitted import fit_last_layer, without_last_layer
from bertft.heads.sequence import SequenceHead
from bertft.jobs.prepare import Job
from bertft.jobs.request import can_be_few_shot
from bertft.training import loop
from bertft.training.inference import compute_logits

STEPS = 30
"""Steps of an epoch at least: few texts are taken several times."""
FEW = 32
"""Examples of a label that are enough for fine-tuning."""


def learn_from_pairs(job: Job, trainer: loop.Trainer) -> None:
    """Let the trainer learn by contrast, and fit the head before weights are scored or kept."""
    head = trainer.head
    assert isinstance(head, SequenceHead)
    numbers: dict[frozenset[str], int] = {}
    labels = [frozenset(reading.labels) for reading in job.task.readings(job.splits["train"])]
    kinds = tuple(numbers.setdefault(labels[one.example], len(numbers)) for one in trainer.encoded)
    rounds = -(-STEPS * trainer.plan.sequences_per_step // len(kinds))
    trainer.plan = replace(trainer.plan, kinds=kinds, rounds=rounds)
    trainer.head = ContrastiveHead(head)
    trainer.part = trainer.accelerator.unwrap_model(trainer.model).base_model
    trainer.before_scores = [partial(fit_head, job, trainer, head)]


def fit_head(job: Job, trainer: loop.Trainer, head: SequenceHead) -> None:
    """Fit the last layer to the vectors that the encoder gives the training texts now."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    with without_last_layer(model):
        vectors = compute_logits(
            model,
            trainer.encoded,
            head=head,
            batcher=trainer.batcher,
            precision=job.runtime.precision,
        )
    fit_last_layer(model, vectors, head.targets(trainer.encoded, length=None), head=head)


def few_shot_notes(job: Job, trainer: loop.Trainer) -> Iterator[str]:
    """What is otherwise than in fine-tuning."""
    plan = trainer.plan
    times = f"each text {plan.rounds * plan.epochs} times" if plan.rounds > 1 else ""
    yield (
        "few-shot mode: the encoder learns which texts have the same label"
        f"{f' ({times})' if times else ''}, then the head is fitted to its vectors"
    )


def proposal(job: Job) -> str:
    """That few-shot mode is worth a try with so few examples; "" where there are more."""
    if job.recipe.training.mode != "fine-tune" or not can_be_few_shot(job.recipe):
        return ""
    readings = job.task.readings(job.splits["train"])
    counts = Counter(label for one in readings for label in one.labels)
    usual = statistics.median_low([counts[label] for label in job.task.labels])
    if usual >= FEW:
        return ""
    what = f"half of the labels have {usual} examples or fewer"
    return f"{what}: few-shot mode may be better with so few (--set training.mode=few-shot)"
