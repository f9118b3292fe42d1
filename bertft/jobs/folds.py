"""Logits for each training example from a model that did not learn from it.

    Job -> folds -> for each a head (or model) trained on the others -> pieces of all examples

In features mode the encoder reads every text once, and only heads are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bertft.checks.families import families
from bertft.checks.findings import make_splits
from bertft.contracts import Pieces
from bertft.encoder.pieces import pieces_of
from bertft.encoder.states import StateBatcher
from bertft.evaluation.folds import stratified_folds
from bertft.jobs.build import build_model, make_trainer
from bertft.jobs.features import read_states, use_states
from bertft.jobs.prepare import Job
from bertft.training import loop
from bertft.training.inference import compute_logits
from bertft.training.progress import Progress
from bertft.watch import Watch


def held_out_pieces(job: Job, *, count: int, watch: Watch) -> list[Pieces]:
    """The windows of each example of train with logits, none from a model that learned from it.

    Examples that are nearly the same, or on one passage, are held out together.
    """
    (split,) = make_splits(job.task, {"train": job.splits["train"]}, job.files)
    strata = [frozenset(reading.labels) for reading in split.readings]
    folds = stratified_folds(strata, families(split), count=count, seed=job.recipe.training.seed)
    states: StateBatcher | None = None
    pieces: list[Pieces] = [()] * len(folds)
    for fold in range(count):
        watch.advance(fold, None, total=count, what="folds")
        trainer = _trainer(job, np.flatnonzero(folds != fold).tolist())
        if job.recipe.training.mode == "features":
            states = states or read_states(job, trainer, watch=watch)
            use_states(trainer, states)
        for _ in loop.run(trainer, progress=Progress(), evaluate=None):
            pass
        held = np.flatnonzero(folds == fold).tolist()
        for row, found in zip(held, _pieces(job, trainer, held), strict=True):
            pieces[row] = found
    watch.advance(count, None, total=count, what="folds")
    return pieces


def _part(job: Job, rows: Sequence[int]) -> Job:
    """The job with some of its training examples only."""
    places = {row: place for place, row in enumerate(rows)}
    encoded = [
        replace(one, example=places[one.example])
        for one in job.encoded["train"]
        if one.example in places
    ]
    examples = [job.splits["train"][row] for row in rows]
    return replace(job, splits={"train": examples}, encoded={"train": encoded})


def _trainer(job: Job, rows: Sequence[int]) -> loop.Trainer:
    part = _part(job, rows)
    return make_trainer(part, *build_model(part))


def _pieces(job: Job, trainer: loop.Trainer, rows: Sequence[int]) -> list[Pieces]:
    encoded = _part(job, rows).encoded["train"]
    logits = compute_logits(
        trainer.accelerator.unwrap_model(trainer.model),
        encoded,
        head=trainer.head,
        batcher=trainer.batcher,
        precision=job.runtime.precision,
    )
    return pieces_of(len(rows), encoded, logits)
