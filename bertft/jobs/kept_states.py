"""States of all texts of a job: from the cache, else computed now and kept there.

    job, what is read of a model (Reading) -> states [R, H] of its texts, and where each text's are

Features mode keeps what heads read, and a training with frozen layers what those give.

Shape legend: R rows of all texts, H hidden width.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain

import numpy as np
import torch
from transformers import PreTrainedModel

from bertft.contracts import Batcher, Encoded, FloatArray, Readout
from bertft.encoder.states import Places, rows_in_order, text_key
from bertft.errors import ModelError
from bertft.jobs.prepare import Job
from bertft.jobs.state_cache import CachedStates
from bertft.loaders.files import sha256
from bertft.training.inference import compute_logits
from bertft.watch import Watch
from bertft.words import counted

TOKENS = 2**16
"""Tokens that are encoded at a time, between two writes."""
PACKAGES = ("bertft", "torch", "transformers")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is kept: what ``readout`` reads of ``part``, a part of ``model`` that is called alone.

    ``name`` tells it from what else is read of the same encoder.
    """

    model: PreTrainedModel
    part: torch.nn.Module
    readout: Readout
    batcher: Batcher
    name: str


def states_of(job: Job, reading: Reading, *, watch: Watch) -> tuple[FloatArray, Places]:
    """The states of all texts of a job.

    A cache of these texts and those of the examples that are spared serves as well.

    Raises:
        ModelError: the encoder computes what is no number.
        RunError: the cache cannot hold them.
    """
    for encoded in _served_by(job):
        texts, places = rows_in_order(encoded, pools=reading.readout.pools)
        cached = cached_states(job, reading, texts)
        states = cached.read()
        if states is not None:
            watch.note(f"{counted(len(texts), 'text')} encoded before: {cached.path}")
            return states, places
    if cached.path.exists():
        watch.note(f"{cached.path} is damaged: the texts are encoded again")
    return _made(job, reading, texts, cached, watch=watch), places


def are_kept(job: Job, reading: Reading) -> bool:
    """Whether the cache has a file for the states of all texts; it may be damaged."""
    pools = reading.readout.pools
    texts = (rows_in_order(encoded, pools=pools)[0] for encoded in _served_by(job))
    return any(cached_states(job, reading, one).path.exists() for one in texts)


def _served_by(job: Job) -> Iterator[list[Encoded]]:
    """Sets of texts whose states serve a job: with the examples that are spared, and its own."""
    own = list(chain(*job.encoded.values()))
    if job.spare:
        tokenizer, longest = job.encoder.tokenizer, job.recipe.model.max_length
        yield [*own, *job.task.encode(job.spare, tokenizer, max_length=longest)]
    yield own


def cached_states(job: Job, reading: Reading, texts: Sequence[Encoded]) -> CachedStates:
    """Where the states of the texts are, or will be."""
    rows = len(texts) if reading.readout.pools else sum(map(len, texts))
    width = int(reading.model.config.hidden_size)
    facts = _facts(job, reading, texts)
    return CachedStates.of(facts, name=job.encoder.name, rows=rows, width=width)


def _made(
    job: Job, reading: Reading, texts: Sequence[Encoded], cached: CachedStates, *, watch: Watch
) -> FloatArray:
    """States [R, H] of the texts, encoded now and kept."""
    started = time.perf_counter()
    cached.write(_encode(job, reading, texts, watch=watch))
    seconds = time.perf_counter() - started
    took = f"{counted(len(texts), 'text')} encoded in {seconds:.1f} s"
    watch.note(f"{took}; kept for other runs: {cached.path}")
    states = cached.read()
    if states is None:
        hint = "the disk gives back other bytes than were written to it"
        raise ModelError(f"{cached.path}: damaged as soon as it was written", hint=hint)
    return states


def _facts(job: Job, reading: Reading, texts: Sequence[Encoded]) -> dict[str, object]:
    """What the states follow from. Other threads or machines give the same but for rounding."""
    folder = job.encoder.folder
    weights = sorted(folder.glob("*.safetensors"))
    digests = {path.name: sha256(str(path)) for path in (folder / "config.json", *weights)}
    return {
        "encoder": digests,
        # averaging adds one
        "layers": getattr(reading.model.config, "num_hidden_layers", None),
        "kept": job.recipe.model.layers,
        "readout": reading.name,
        "texts": hashlib.sha256(b"".join(map(text_key, texts))).hexdigest(),
        "device": job.runtime.device,
        "precision": job.runtime.precision,
        "versions": {name: version(name) for name in PACKAGES},
    }


def _encode(
    job: Job, reading: Reading, texts: Sequence[Encoded], *, watch: Watch
) -> Iterator[FloatArray]:
    """The states of some texts after the other, in the texts' order."""
    done = 0
    while done < len(texts):
        end, tokens = done, 0
        while end < len(texts) and (end == done or tokens + len(texts[end]) <= TOKENS):
            tokens += len(texts[end])
            end += 1
        states = compute_logits(
            reading.part,
            texts[done:end],
            head=reading.readout,
            batcher=reading.batcher,
            precision=job.runtime.precision,
        )
        part = np.concatenate([one.reshape(-1, one.shape[-1]) for one in states])
        if not np.isfinite(part).all():
            hint = "try --set training.precision=fp32; if it stays, the weights are damaged"
            raise ModelError(f"{job.encoder.name} computes values that are not finite", hint=hint)
        yield part
        done = end
        watch.advance(done, None, total=len(texts), what="encoded")
