"""Features mode: the encoder reads each text once, then the head learns from its states.

    model, texts -> states (from the cache, else encoded now) -> StateBatcher -> the ordinary loop

The model stays whole: what is saved is the encoder as it was with the head that was learned, and it
reads texts again wherever it is used.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from bertft.contracts import Encoded
from bertft.encoder.cut import kept_layers
from bertft.encoder.encoded_rows import lengths_of
from bertft.encoder.load import read_config
from bertft.encoder.states import StateBatcher, rows_in_order
from bertft.heads.hidden import states_read_by
from bertft.heads.inherited import inherited
from bertft.jobs.cost import duration
from bertft.jobs.kept_states import Reading, are_kept, states_of
from bertft.jobs.prepare import Job
from bertft.settings import TrainingSettings
from bertft.training import loop
from bertft.training.inference import compute_logits
from bertft.watch import Watch
from bertft.words import counted

SAMPLE = 64
"""Texts that a dry run encodes."""
IDLE = ("layer_decay", "gradient_checkpointing")
"""Settings that concern the encoder alone."""


def learn_from_states(job: Job, trainer: loop.Trainer, *, watch: Watch) -> None:
    """Give the trainer a batcher of states; training and dev texts are encoded where need be.

    Raises:
        ModelError: the encoder computes what is no number.
        RunError: the cache cannot hold them.
    """
    use_states(trainer, read_states(job, trainer, watch=watch))


def read_states(job: Job, trainer: loop.Trainer, *, watch: Watch) -> StateBatcher:
    """The states of all texts of a job, from the cache or encoded now; raises as above."""
    states = states_of(job, _reading(trainer), watch=watch)
    return StateBatcher(*states, trainer.head.pools)


def _reading(trainer: loop.Trainer) -> Reading:
    model = trainer.accelerator.unwrap_model(trainer.model)
    readout = states_read_by(trainer.head)
    return Reading(model, model.base_model, readout, trainer.batcher, type(readout).__name__)


def use_made_up_states(job: Job, trainer: loop.Trainer) -> None:
    """Let the trainer learn from states that are none of its texts': a step, or a dev score, takes
    as long. Nothing is encoded, and the rows overlap, so that they take next to no memory."""
    texts, places = rows_in_order(chain(*job.encoded.values()), pools=trainer.head.pools)
    rows = len(texts) if trainer.head.pools else sum(map(len, texts))
    width = int(trainer.accelerator.unwrap_model(trainer.model).config.hidden_size)
    drawn = np.random.default_rng(0).standard_normal(rows + width - 1, dtype=np.float32)
    states = np.lib.stride_tricks.sliding_window_view(drawn, width)  # [R, H]
    use_states(trainer, StateBatcher(states, places, trainer.head.pools))


def use_states(trainer: loop.Trainer, states: StateBatcher) -> None:
    """Let the trainer learn from states, which hold those of its texts."""
    trainer.batcher = states
    if states.pools:  # a text is one row, however long it is
        trainer.plan = replace(trainer.plan, lengths=(1,) * len(trainer.encoded))


def encoding_seconds(job: Job, trainer: loop.Trainer) -> float:
    """Seconds a token of encoding, told from a few texts; nothing is kept."""
    texts = _all_texts(job, trainer)
    sample = texts[:: -(-len(texts) // SAMPLE)]
    readout = states_read_by(trainer.head)
    base = trainer.accelerator.unwrap_model(trainer.model).base_model
    precision = job.runtime.precision
    found = 0.0
    for _ in range(2):  # the first warms up
        started = time.perf_counter()
        compute_logits(base, sample, head=readout, batcher=trainer.batcher, precision=precision)
        found = (time.perf_counter() - started) / sum(map(len, sample))
    return found


def encoding_cost(job: Job, trainer: loop.Trainer) -> str:
    """What encoding will take; for a dry run."""
    texts = _all_texts(job, trainer)
    if are_kept(job, _reading(trainer)):
        return f"{counted(len(texts), 'text')} encoded before: the head alone is trained"
    seconds = sum(map(len, texts)) * encoding_seconds(job, trainer)
    all_texts = counted(len(texts), "text")
    return f"encoding {all_texts} takes about {duration(seconds)}, once; then the head"


def _all_texts(job: Job, trainer: loop.Trainer) -> list[Encoded]:
    """Each different text once, as it is encoded."""
    return rows_in_order(chain(*job.encoded.values()), pools=trainer.head.pools)[0]


def seconds_to_encode(job: Job, trainer: loop.Trainer) -> dict[str, float]:
    """Split -> seconds that its texts take to be encoded; 0 where the cache has the states."""
    if are_kept(job, _reading(trainer)):
        return dict.fromkeys(job.encoded, 0.0)
    each = encoding_seconds(job, trainer)
    return {split: each * sum(lengths_of(own)) for split, own in job.encoded.items()}


def feature_notes(job: Job, trainer: loop.Trainer) -> Iterator[str]:
    """What is otherwise than in fine-tuning, and what is set but means nothing here."""
    settings = job.recipe.training
    learned = f"{settings.epochs} epochs at a learning rate of {settings.learning_rate:g}"
    yield f"features mode: the encoder stays as it is, the head learns for {learned}"
    usual = TrainingSettings()
    model = trainer.accelerator.unwrap_model(trainer.model)
    layers = getattr(read_config(job.encoder.folder), "num_hidden_layers", 0)
    if job.recipe.model.layers:
        layers = len(kept_layers(job.recipe.model.layers, depth=layers, name=job.encoder.name))
    if trainer.head.pools:
        if model.config.num_hidden_layers != layers:
            yield "the head reads the mean of all tokens, which one layer more on the encoder gives"
        else:
            why = "as set" if job.recipe.model.pooling == "first" else "it takes no averaging layer"
            if inherited(model, job.encoder.folder).rows:
                why = "the head that is kept has learned so"
            yield f"the head reads the first token of {job.encoder.name}: {why}"
    idle = [name for name in IDLE if getattr(settings, name) != getattr(usual, name)]
    if idle:
        named = ", ".join(f"training.{name}" for name in idle)
        yield f"{named}: not used in features mode, where nothing below the head learns"
