"""Frozen layers: what they make of each text is computed once, and kept for all epochs and runs.

    training.freeze = "layers:4", texts -> states behind those layers (kept_states.py)
    -> UpperBatcher -> the ordinary loop, which computes the layers above

Where that is not possible, or would not pay, every step computes the frozen layers as well; what is
learned is the same but for rounding.
"""

from __future__ import annotations

from itertools import chain

from transformers import PreTrainedModel

from bertft.cache_folder import GIB, largest
from bertft.contracts import Batcher, Head, SelfSupervised
from bertft.encoder.lower_layers import LowerLayers, UpperBatcher, stand_in_for_lower
from bertft.encoder.packing import Packer
from bertft.encoder.states import rows_in_order
from bertft.heads.hidden import HiddenStates
from bertft.jobs.kept_states import Reading, cached_states, states_of
from bertft.jobs.prepare import Job
from bertft.settings import LAYERS
from bertft.training import loop, processes
from bertft.training.optimizer import depth_of
from bertft.watch import Watch


def frozen_note(job: Job) -> str:
    """At which rate the layers above frozen ones learn; "" where none is frozen."""
    settings = job.recipe.training
    if not settings.freeze.startswith(LAYERS):
        return ""
    return (
        f"freeze = {settings.freeze}: what is above learns at a rate of {settings.learning_rate:g}"
    )


def layers_to_keep(job: Job, model: PreTrainedModel, head: Head, batcher: Batcher) -> int:
    """How many of the lowest layers states can stand for, as the model is set up to let them; 0
    where each step computes all."""
    settings = job.recipe.training
    if not settings.freeze.startswith(LAYERS) or settings.mode not in ("fine-tune", "lora"):
        return 0
    if settings.epochs == 1 or isinstance(job.task, SelfSupervised) or processes.count() > 1:
        return 0
    # The last layer computes first tokens alone where a head reads no others.
    count = min(int(settings.freeze.removeprefix(LAYERS)), depth_of(model) - 1)
    answers = isinstance(batcher, Packer) and stand_in_for_lower(
        model,
        job.encoder.tokenizer,
        count=count,
        head=head,
        packer=batcher,
        readout=HiddenStates(),
    )
    return count if answers else 0


def keep_lower_states(job: Job, trainer: loop.Trainer, *, watch: Watch) -> None:
    """Give the trainer a batcher of states where they can stand for its lowest layers.

    Raises:
        ModelError: the encoder computes what is no number.
        RunError: the cache cannot be written.
    """
    count, packer = trainer.kept_layers, trainer.batcher
    if not count or not isinstance(packer, Packer):
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    lower = LowerLayers(model, count=count)
    reading = Reading(model, lower, HiddenStates(), packer, f"layer {count}")
    texts, _ = rows_in_order(chain(*job.encoded.values()), pools=False)
    size, limit = cached_states(job, reading, texts).size, largest()
    if size > limit:
        what = f"the states behind the frozen layers take {size / GIB:.1f} GiB, the cache holds"
        watch.note(f"{what} {limit / GIB:.1f} (BERTFT_CACHE_GIB): each step computes them anew")
        return
    trainer.batcher = UpperBatcher(packer, *states_of(job, reading, watch=watch))
