"""What training starts from: a request in, a Job out, with all data read, checked and encoded.

    flags + recipe -> examples -> labels -> encoder -> Encoded        (then build.py)

Nothing is written to disk here. Read order: TrainRequest, Job, read_recipe, prepare.
"""

from __future__ import annotations

import re
import time
import unicodedata
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from accelerate import Accelerator
from accelerate.utils import set_seed

from bertft.checks.findings import quick_findings
from bertft.contracts import Encoded, Ranking, SelfSupervised, Task
from bertft.encoder.encoded_rows import compact
from bertft.encoder.load import Encoder, check_length, decomposes_hangul, load_encoder
from bertft.errors import ModelError, RecipeError
from bertft.evaluation.calibration import Evidence
from bertft.evaluation.folds import nested_subset, numbered
from bertft.jobs.held_fold import hold_out_fold, read_training
from bertft.jobs.negatives import with_negatives
from bertft.jobs.request import TrainRequest
from bertft.loaders.files import STDIN
from bertft.loaders.hub import hub_is_off
from bertft.loaders.reading import hold_out, read_examples
from bertft.rows import joined, picked
from bertft.settings import LoraSettings, Recipe, TrainingSettings
from bertft.tasks import make_task
from bertft.tasks.review import apply_corrections
from bertft.training.runtime import Runtime, choose_runtime, has_device, make_accelerator
from bertft.watch import Watch

HANGUL_SHARE = 0.1
SYLLABLE = re.compile("[가-힣]")
SPLITS = ("train", "dev", "test")


class Read(NamedTuple):
    """The examples of each split, and the path of each split that has one of its own."""

    splits: Mapping[str, Sequence[Any]]
    files: dict[str, str]


@dataclass(slots=True)
class Job:
    """A prepared training: data, encoder and task are bound, nothing is written yet."""

    recipe: Recipe
    name: str
    task: Task[Any]
    splits: dict[str, Sequence[Any]]
    files: dict[str, str]
    encoder: Encoder
    runtime: Runtime
    accelerator: Accelerator
    read: Read
    """The splits as they were read, of which ``splits`` may be a share."""
    spare: Sequence[Any] = ()
    """Training examples that are not used (``data.train_share``)."""
    encoded: dict[str, Sequence[Encoded]] = field(default_factory=dict)
    dev: Evidence | None = None
    """What the model said of dev when it was scored last, and what was right."""
    before: dict[str, float] = field(default_factory=dict)
    """Dev scores before training, of what can do already what it is trained for."""
    reading: float = 0.0
    """Seconds that reading took."""
    encoding: float = 0.0
    """Seconds that encoding the training examples took."""
    environment: dict[str, Any] = field(default_factory=dict)
    """What the run depends on (environment.json), as it was when the run was started."""


def prepare(
    recipe: Recipe,
    request: TrainRequest,
    *,
    watch: Watch,
    before: Mapping[str, Any] | None = None,
    read: Read | None = None,
) -> Job:
    """Read and check all data, choose device and precision, load the encoder, encode.

    ``before`` is the environment of the run that goes on: what it chose then is chosen again.
    ``read`` are the data, where they have been read already.
    """
    task = make_task(recipe.task)
    refuse_frozen_encoder(task, recipe)
    started = time.monotonic()
    if read is None:
        with hub_is_off(off=request.offline):
            read = read_splits(task, recipe, watch=watch)
    reading = time.monotonic() - started
    splits, files = dict(read.splits), read.files
    own = [splits[split] for split in splits if split not in files]
    task = task.learn_labels(joined([splits["train"], *own]), path=recipe.data.train)
    for split, examples in splits.items():
        for said in task.check(examples, path=files.get(split, recipe.data.train)):
            watch.note(f"{split}: {said}")
    for warning in quick_findings(task, splits, dict.fromkeys(SPLITS, files["train"]) | files):
        watch.note(f"warning: {warning}; see 'bertft check'")
    splits["train"], spare = share_of(task, splits["train"], recipe, watch=watch)
    accelerator, runtime = make_accelerator(runtime_of(recipe.training, before=before))
    refuse_idle_processes(recipe, accelerator)
    refuse_parts_of_batches(task, accelerator)
    tell_choices(recipe, runtime, accelerator, watch=watch)
    set_seed(recipe.training.seed)
    model = recipe.model
    if before:
        model = model.model_copy(update={"revision": before["model"]["revision"]})
    encoder = load_encoder(model, offline=request.offline)
    check_length(encoder.folder, model.max_length)
    if isinstance(task, Ranking):
        task = task.for_encoder(model, encoder.folder)
        splits["train"] = with_negatives(
            task, splits["train"], encoder, runtime=runtime, model=model, watch=watch
        )
    name = before["recipe"] if before else Path(request.recipe).stem
    job = Job(
        recipe,
        name,
        task,
        splits,
        files,
        encoder,
        runtime,
        accelerator,
        read,
        spare,
        reading=reading,
    )
    if not recipe.model.decomposed_hangul:
        refuse_decomposed_hangul(splits["train"], encoder)
    for split in ("train", "dev"):
        if split not in splits:
            continue
        started = time.monotonic()
        encoded = task.encode(splits[split], encoder.tokenizer, max_length=model.max_length)
        for remark in task.remarks(splits[split], encoded):
            watch.note(f"{split}: {remark}")
        job.encoded[split] = compact(encoded)
        if split == "train":
            job.encoding = time.monotonic() - started
        del encoded  # the next is made in its room
    if isinstance(task, SelfSupervised):
        job.task = task.learn_inputs(job.encoded["train"], encoder.tokenizer)
        if parts := task.new_parts(encoder.folder):
            watch.note(f"{encoder.name} carries no {' and no '.join(parts)}: made anew")
    return job


def refuse_frozen_encoder(task: Task[Any], recipe: Recipe) -> None:
    """Raise RecipeError where a task has nothing to learn but the encoder, which is to stay."""
    settings, told = recipe.training, ""
    stays = ("features", "lora") if isinstance(task, SelfSupervised) else ("features",)
    if isinstance(task, (SelfSupervised, Ranking)) and settings.mode in stays:
        told, hint = f"training.mode = {settings.mode}", "--set training.mode=fine-tune"
    elif isinstance(task, Ranking) and settings.freeze == "encoder":
        told, hint = "training.freeze = encoder", "--set training.freeze=none"
    if told:
        what = f"{task.name} trains the encoder itself: {told} would leave it as it is"
        raise RecipeError(what, hint=hint)


def runtime_of(settings: TrainingSettings, *, before: Mapping[str, Any] | None) -> Runtime:
    """Device and precision: those of the recipe; where it leaves them open, those of ``before``.

    A device that is not here any more is chosen anew, and its precision with it. Threads are those
    of ``before``.
    """
    device, precision = settings.device, settings.precision
    threads = before["threads"] if before else None
    if before and device in ("auto", before["device"]) and has_device(before["device"]):
        device = before["device"]
        precision = before["precision"]["used"]
    return choose_runtime(device=device, precision=precision, threads=threads)


def read_splits(task: Task[Any], recipe: Recipe, *, watch: Watch) -> Read:
    """All data of a recipe; a missing dev set is held out from train, and said.

    There is none where ``data.dev_share`` is 0.
    """
    data = recipe.data
    if not data.train:
        raise RecipeError("the recipe names no training data", hint="give a file with --train")
    if data.fold and data.test:
        hint = "leave out data.fold, or data.test"
        raise RecipeError(f"data.fold = {data.fold} makes a test set of training rows", hint=hint)
    files = {name: getattr(data, name) for name in SPLITS if getattr(data, name)}
    if [*files.values(), *data.further].count(STDIN) > 1:
        hint = "save it to a file, and name that"
        raise RecipeError(f"'{STDIN}' is named twice, and stdin can be read once", hint=hint)
    splits = {"train": read_training(task, data, watch=watch)}
    if data.corrections:
        splits["train"] = apply_corrections(
            task, splits["train"], data.corrections, tell=watch.note
        )
    for name in (one for one in files if one != "train"):
        splits[name] = read_examples(task, files[name], data, watch=watch)
    if data.fold:
        splits["train"], splits["test"] = hold_out_fold(task, splits["train"], recipe, watch=watch)
    if not data.has_dev:
        text = (
            "data.dev_share = 0: all rows train the model; no dev scores, the last weights are kept"
        )
        watch.note(f"{text}, and nothing is tuned, calibrated or stopped early on dev")
    elif "dev" not in splits:
        splits["train"], splits["dev"] = hold_out(
            splits["train"], share=data.dev_share, seed=recipe.training.seed
        )
        watch.note(f"no dev set given: {len(splits['dev'])} rows of the training data are held out")
    return Read({name: splits[name] for name in SPLITS if name in splits}, files)


def share_of(
    task: Task[Any], examples: Sequence[Any], recipe: Recipe, *, watch: Watch
) -> tuple[Sequence[Any], Sequence[Any]]:
    """The share of the training examples that is used, and the rest; said where there is one."""
    share, seed = recipe.data.train_share, recipe.training.seed
    if share == 1:
        return examples, ()
    strata = numbered(frozenset(reading.labels) for reading in task.readings(examples))
    groups = numbered(one.group or None for one in examples)
    chosen = np.zeros(len(examples), dtype=bool)
    chosen[nested_subset(strata, groups, share=share, seed=seed)] = True
    watch.note(f"data.train_share: {chosen.sum():,} of {len(examples):,} rows train the model")
    used, rest = (array("q", np.flatnonzero(one).tobytes()) for one in (chosen, ~chosen))
    return picked(examples, used), picked(examples, rest)


def refuse_idle_processes(recipe: Recipe, accelerator: Accelerator) -> None:
    """Raise RecipeError where processes have nothing to share: few sequences, or a head alone."""
    size, count = recipe.training.batch_size, accelerator.num_processes
    mode = recipe.training.mode
    if mode in ("features", "few-shot") and count > 1:
        hint = "start bertft without accelerate launch or torchrun"
        raise RecipeError(f"{mode} mode trains in one process, not {count}", hint=hint)
    if size < count:
        hint = f"--set training.batch_size={count} or more, or start fewer processes"
        raise RecipeError(f"{count} processes share batches of {size}", hint=hint)


def refuse_parts_of_batches(task: Task[Any], accelerator: Accelerator) -> None:
    """Raise RecipeError where processes would share a batch whose examples need each other."""
    if isinstance(task, Ranking) and (count := accelerator.num_processes) > 1:
        what = f"{task.name} compares the passages of a whole batch: in one process, not {count}"
        raise RecipeError(what, hint="start bertft without accelerate launch or torchrun")


def tell_choices(
    recipe: Recipe, runtime: Runtime, accelerator: Accelerator, *, watch: Watch
) -> None:
    """Note settings that mean nothing, what changes the model's own dropout, and how it lies on
    several processes."""
    mode = recipe.training.mode
    if mode != "lora" and recipe.lora != LoraSettings():
        watch.note(f"[lora]: not used, for training.mode is {mode}")
    if (dropout := recipe.training.dropout) >= 0:
        watch.note(f"dropout while training is {dropout:g}, whatever the model's config says")
    if runtime.sharded:
        count = accelerator.num_processes
        watch.note(f"the model is shared out over {count} processes (FSDP 2), layer by layer")


def refuse_decomposed_hangul(examples: Sequence[Any], encoder: Encoder) -> None:
    """Raise ModelError for Korean text with a tokenizer that splits its syllables into jamo."""
    texts = (unicodedata.normalize("NFC", one.text) for one in examples)
    korean = sum(bool(SYLLABLE.search(text)) for text in texts)
    if korean > HANGUL_SHARE * len(examples) and decomposes_hangul(encoder.tokenizer):
        what = f"{korean:,} of {len(examples):,} texts are Korean, and {encoder.name} splits Hangul"
        hint = "choose a Korean model ('bertft models list --language ko')"
        raise ModelError(f"{what} into jamo", hint=f"{hint} or --set model.decomposed_hangul=true")
