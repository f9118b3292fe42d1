"""Features mode: the encoder reads each text once, then the head learns from its states.

    model, texts -> states (from the cache, else encoded now) -> StateBatcher -> the ordinary loop

The model stays whole: what is saved is the encoder as it was with the head that was learned, and it
reads texts again wherever it is used.

Shape legend: R rows of all texts, H hidden width.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import chain

import numpy as np
from transformers import PreTrainedModel

from bertft.contracts import Batcher, Encoded, FloatArray, Readout
from bertft.encoder.cut import kept_layers
from bertft.encoder.load import read_config
from bertft.encoder.states import StateBatcher, rows_in_order, text_key
from bertft.errors import ModelError
from bertft.heads.hidden import states_read_by
from bertft.heads.inherited import inherited
from bertft.jobs.cost import duration
from bertft.jobs.prepare import Job
from bertft.jobs.state_cache import CachedStates
from bertft.loaders.files import sha256
from bertft.settings import TrainingSettings
from bertft.training import loop
from bertft.training.inference import compute_logits
from bertft.watch import Watch
from bertft.words import counted

TOKENS = 2**16
"""Tokens that are encoded at a time, between two writes."""
SAMPLE = 64
"""Texts that a dry run encodes."""
IDLE = ("layer_decay", "gradient_checkpointing")
"""Settings that concern the encoder alone."""
PACKAGES = ("bertft", "torch", "transformers")


def learn_from_states(job: Job, trainer: loop.Trainer, *, watch: Watch) -> None:
    """Give the trainer a batcher of states; training and dev texts are encoded where need be.

    Raises:
        ModelError: the encoder computes what is no number.
        RunError: the cache cannot hold them.
    """
    use_states(trainer, states_of(job, trainer, watch=watch))


def states_of(job: Job, trainer: loop.Trainer, *, watch: Watch) -> StateBatcher:
    """The states of all texts of a job, from the cache or encoded now; raises as above.

    A cache of these texts and those of the examples that are spared serves as well.
    """
    own, pools = list(chain(*job.encoded.values())), trainer.head.pools
    tokenizer, longest = job.encoder.tokenizer, job.recipe.model.max_length
    spare = job.task.encode(job.spare, tokenizer, max_length=longest) if job.spare else []
    for encoded in ([*own, *spare], own) if spare else (own,):
        texts, places = rows_in_order(encoded, pools=pools)
        cached = _cached(job, trainer, texts)
        states = cached.read()
        if states is not None:
            watch.note(f"{counted(len(texts), 'text')} encoded before: {cached.path}")
            return StateBatcher(states, places, pools)
    if cached.path.exists():
        watch.note(f"{cached.path} is damaged: the texts are encoded again")
    return StateBatcher(_made(job, trainer, texts, cached, watch=watch), places, pools)


def use_states(trainer: loop.Trainer, states: StateBatcher) -> None:
    """Let the trainer learn from states, which hold those of its texts."""
    trainer.batcher = states
    if states.pools:  # a text is one row, however long it is
        trainer.plan = replace(trainer.plan, lengths=(1,) * len(trainer.encoded))


def _cached(job: Job, trainer: loop.Trainer, texts: Sequence[Encoded]) -> CachedStates:
    """Where the states of the texts are, or will be."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    readout = states_read_by(trainer.head)
    rows = len(texts) if readout.pools else sum(map(len, texts))
    width = int(model.config.hidden_size)
    facts = _facts(job, model, texts, readout=readout)
    return CachedStates.of(facts, name=job.encoder.name, rows=rows, width=width)


def _made(
    job: Job,
    trainer: loop.Trainer,
    texts: Sequence[Encoded],
    cached: CachedStates,
    *,
    watch: Watch,
) -> FloatArray:
    """States [R, H] of the texts, encoded now and kept."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    readout = states_read_by(trainer.head)
    started = time.perf_counter()
    cached.write(
        _encode(model, texts, readout=readout, batcher=trainer.batcher, job=job, watch=watch)
    )
    seconds = time.perf_counter() - started
    took = f"{counted(len(texts), 'text')} encoded in {seconds:.1f} s"
    watch.note(f"{took}; kept for other runs: {cached.path}")
    states = cached.read()
    if states is None:
        hint = "the disk gives back other bytes than were written to it"
        raise ModelError(f"{cached.path}: damaged as soon as it was written", hint=hint)
    return states


def _facts(
    job: Job, model: PreTrainedModel, texts: Sequence[Encoded], *, readout: Readout
) -> dict[str, object]:
    """What the states follow from. Other threads or machines give the same but for rounding."""
    folder = job.encoder.folder
    weights = sorted(folder.glob("*.safetensors"))
    digests = {path.name: sha256(str(path)) for path in (folder / "config.json", *weights)}
    return {
        "encoder": digests,
        "layers": getattr(model.config, "num_hidden_layers", None),  # averaging adds one
        "readout": type(readout).__name__,
        "texts": hashlib.sha256(b"".join(map(text_key, texts))).hexdigest(),
        "device": job.runtime.device,
        "precision": job.runtime.precision,
        "versions": {name: version(name) for name in PACKAGES},
    }


def _encode(
    model: PreTrainedModel,
    texts: Sequence[Encoded],
    *,
    readout: Readout,
    batcher: Batcher,
    job: Job,
    watch: Watch,
) -> Iterator[FloatArray]:
    """The states of some texts after the other, in the texts' order."""
    done = 0
    while done < len(texts):
        end, tokens = done, 0
        while end < len(texts) and (end == done or tokens + len(texts[end]) <= TOKENS):
            tokens += len(texts[end])
            end += 1
        states = compute_logits(
            model.base_model,
            texts[done:end],
            head=readout,
            batcher=batcher,
            precision=job.runtime.precision,
        )
        part = np.concatenate([one.reshape(-1, one.shape[-1]) for one in states])
        if not np.isfinite(part).all():
            hint = "try --set training.precision=fp32; if it stays, the weights are damaged"
            raise ModelError(f"{job.encoder.name} computes values that are not finite", hint=hint)
        yield part
        done = end
        watch.advance(done, None, total=len(texts), what="encoded")


def encoding_cost(job: Job, trainer: loop.Trainer) -> str:
    """What encoding will take, told from a few texts; for a dry run, which keeps nothing."""
    readout = states_read_by(trainer.head)
    texts, _ = rows_in_order(chain(*job.encoded.values()), pools=trainer.head.pools)
    sample = texts[:: -(-len(texts) // SAMPLE)]
    base = trainer.accelerator.unwrap_model(trainer.model).base_model
    precision = job.runtime.precision
    rates = []
    for _ in range(2):  # the first warms up
        started = time.perf_counter()
        compute_logits(base, sample, head=readout, batcher=trainer.batcher, precision=precision)
        rates.append(sum(map(len, sample)) / (time.perf_counter() - started))
    seconds = sum(map(len, texts)) / rates[-1]
    all_texts = counted(len(texts), "text")
    return f"encoding {all_texts} takes about {duration(seconds)}, once; then the head"


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
