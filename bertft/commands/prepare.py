"""What comes before the first step: a request in, a Job, its model, trainer and plan out.

    flags + recipe -> examples -> labels -> encoder -> Encoded -> model, head -> loop.Trainer

Nothing is written to disk here. Read order: TrainRequest, Job, read_recipe, prepare, then
build_model, make_trainer and training_plan, in the order in which ``train`` calls them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import set_seed
from transformers import PreTrainedModel

from bertft.commands.findings import quick_findings
from bertft.commands.reading import hold_out, read_examples
from bertft.commands.watch import TrainingPlan, Watch
from bertft.contracts import Encoded, Head, SelfSupervised, Task
from bertft.encoder.averaging import add_averaging
from bertft.encoder.dropout import use_fast_dropout
from bertft.encoder.load import (
    Encoder,
    check_vocabulary,
    decomposes_hangul,
    load_encoder,
    usable_length,
)
from bertft.encoder.lookup import use_lookups
from bertft.encoder.packing import Packer, choose_batcher
from bertft.encoder.states import take_states
from bertft.errors import ModelError, RecipeError, RunError
from bertft.heads.hidden import states_read_by
from bertft.loaders.hub import hub_is_off
from bertft.recipe import DataSettings, Recipe, TrainingSettings, load_recipe
from bertft.tasks import make_task
from bertft.training import loop
from bertft.training.optimizer import freeze_encoder, make_optimizer
from bertft.training.plan import Plan
from bertft.training.runtime import Runtime, choose_runtime, has_device, make_accelerator

HANGUL_SHARE = 0.1
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What ``bertft train`` is asked for; empty texts mean "as the recipe says"."""

    recipe: str
    overrides: tuple[str, ...] = ()
    train: str = ""
    dev: str = ""
    test: str = ""
    model: str = ""
    out: str = ""
    seed: int | None = None
    resume: str = ""
    offline: bool = False
    dry_run: bool = False
    on_bad_row: str = ""


@dataclass(slots=True)
class Job:
    """A prepared training: data, encoder and task are bound, nothing is written yet."""

    recipe: Recipe
    name: str
    task: Task[Any]
    splits: dict[str, list[Any]]
    files: dict[str, str]
    encoder: Encoder
    runtime: Runtime
    accelerator: Accelerator
    encoded: dict[str, list[Encoded]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    """What the run depends on (environment.json), as it was when the run was started."""


def read_recipe(request: TrainRequest) -> Recipe:
    """The recipe with the request's flags laid over it; of a resumed run, its own recipe."""
    if request.resume:
        if any((request.overrides, *_flags(request))) or request.seed is not None:
            raise RecipeError(
                "--resume goes on with the run's own recipe", hint="leave out other flags"
            )
        return unfinished_recipe(Path(request.resume))
    recipe = load_recipe(request.recipe, overrides=request.overrides)
    data = _own_files(recipe.data, request)
    model, training = recipe.model, recipe.training
    if request.model:
        model = model.model_copy(update={"name": request.model})
    if request.seed is not None:
        training = training.model_copy(update={"seed": request.seed})
    return recipe.model_copy(update={"data": data, "model": model, "training": training})


def unfinished_recipe(run: Path) -> Recipe:
    """The recipe of a run to go on with. Raises RunError when it is no run, or finished."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise RunError(f"{run} is no run (no {path.name})", hint="give the directory of a run")
    if (run / "scores.json").exists():
        raise RunError(f"{run} is finished", hint=f"bertft eval {run}, or train anew")
    return load_recipe(str(path))


def _flags(request: TrainRequest) -> tuple[str, ...]:
    """What the request changes of a recipe, seed and overrides aside."""
    return (
        request.train,
        request.dev,
        request.test,
        request.model,
        request.out,
        request.on_bad_row,
    )


def _own_files(data: DataSettings, request: TrainRequest) -> DataSettings:
    """With ``--train``, the recipe's dev and test sets are other data and no longer used."""
    update: dict[str, Any] = {}
    if request.train:
        update = {"train": request.train, "further": [], "dev": "", "test": ""}
    update |= {name: getattr(request, name) for name in ("dev", "test") if getattr(request, name)}
    if request.on_bad_row:
        update["on_bad_row"] = request.on_bad_row
    return data.model_copy(update=update)


def prepare(
    recipe: Recipe,
    request: TrainRequest,
    *,
    watch: Watch,
    before: Mapping[str, Any] | None = None,
) -> Job:
    """Read and check all data, choose device and precision, load the encoder, encode.

    ``before`` is the environment of the run that goes on: what it chose then is chosen again.
    """
    task = make_task(recipe.task)
    if isinstance(task, SelfSupervised) and recipe.training.mode == "features":
        what = f"{task.name} trains the encoder itself: training.mode = features"
        raise RecipeError(f"{what} would leave it as it is", hint="--set training.mode=fine-tune")
    with hub_is_off(off=request.offline):
        splits, files = read_splits(task, recipe, watch=watch)
    own = splits["train"] if "dev" in files else splits["train"] + splits["dev"]
    task = task.learn_labels(own, path=recipe.data.train)
    for split, examples in splits.items():
        task.check(examples, path=files.get(split, recipe.data.train))
    for warning in quick_findings(task, splits, files | {"dev": files.get("dev", files["train"])}):
        watch.note(f"warning: {warning}; see 'bertft check'")
    accelerator, runtime = make_accelerator(runtime_of(recipe.training, before=before))
    refuse_idle_processes(recipe, accelerator)
    set_seed(recipe.training.seed)
    model = recipe.model
    if before:
        model = model.model_copy(update={"revision": before["model"]["revision"]})
    encoder = load_encoder(model, offline=request.offline)
    length = usable_length(encoder.folder, asked=recipe.model.max_length)
    name = before["recipe"] if before else Path(request.recipe).stem
    job = Job(recipe, name, task, splits, files, encoder, runtime, accelerator)
    if not recipe.model.decomposed_hangul:
        refuse_decomposed_hangul(splits["train"], encoder)
    for split in ("train", "dev"):
        encoded = task.encode(splits[split], encoder.tokenizer, max_length=length)
        for remark in task.remarks(splits[split], encoded):
            watch.note(f"{split}: {remark}")
        job.encoded[split] = encoded
    if isinstance(task, SelfSupervised):
        job.task = task.learn_inputs(job.encoded["train"], encoder.tokenizer)
        if parts := task.new_parts(encoder.folder):
            watch.note(f"{encoder.name} carries no {' and no '.join(parts)}: made anew")
    return job


def runtime_of(settings: TrainingSettings, *, before: Mapping[str, Any] | None) -> Runtime:
    """Device and precision: those of the recipe; where it leaves them open, those of ``before``.

    A device that is not here any more is chosen anew, and its precision with it.
    """
    device, precision = settings.device, settings.precision
    if before and device in ("auto", before["device"]) and has_device(before["device"]):
        device = before["device"]
        precision = before["precision"]["used"]
    return choose_runtime(device=device, precision=precision)


def read_splits(
    task: Task[Any], recipe: Recipe, *, watch: Watch
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """({split: examples}, {split: path}); a missing dev set is held out from train, and said."""
    data = recipe.data
    if not data.train:
        raise RecipeError("the recipe names no training data", hint="give a file with --train")
    files = {name: getattr(data, name) for name in SPLITS if getattr(data, name)}
    splits = {name: read_examples(task, path, data, watch=watch) for name, path in files.items()}
    for path in data.further:
        splits["train"] += read_examples(task, path, data, watch=watch)
    if "dev" not in splits:
        splits["train"], splits["dev"] = hold_out(
            splits["train"], share=data.dev_share, seed=recipe.training.seed
        )
        watch.note(f"no dev set given: {len(splits['dev'])} rows of the training data are held out")
    return splits, files


def refuse_idle_processes(recipe: Recipe, accelerator: Accelerator) -> None:
    """Raise RecipeError where processes have nothing to share: few sequences, or a head alone."""
    size, count = recipe.training.batch_size, accelerator.num_processes
    if recipe.training.mode == "features" and count > 1:
        hint = "start bertft without accelerate launch or torchrun"
        raise RecipeError(f"features mode trains in one process, not {count}", hint=hint)
    if size < count:
        hint = f"--set training.batch_size={count} or more, or start fewer processes"
        raise RecipeError(f"{count} processes share batches of {size}", hint=hint)


def refuse_decomposed_hangul(examples: Sequence[Any], encoder: Encoder) -> None:
    """Raise ModelError for Korean text with a tokenizer that splits its syllables into jamo."""
    texts = (unicodedata.normalize("NFC", one.text) for one in examples)
    korean = sum(any("가" <= c <= "힣" for c in text) for text in texts)
    if korean > HANGUL_SHARE * len(examples) and decomposes_hangul(encoder.tokenizer):
        what = f"{korean} of {len(examples)} texts are Korean, and {encoder.name} splits Hangul"
        hint = "choose a Korean model ('bertft models list --language ko')"
        raise ModelError(f"{what} into jamo", hint=f"{hint} or --set model.decomposed_hangul=true")


def build_model(job: Job) -> tuple[PreTrainedModel, Head]:
    """The model with a new head, from the recipe's seed; frozen as the recipe says."""
    settings = job.recipe.training
    head = job.task.head(job.splits["train"])
    set_seed(settings.seed)
    model = head.build(job.encoder.folder)
    check_vocabulary(model, job.encoder.tokenizer)
    pool_tokens(job, model, head)
    is_frozen = settings.mode == "features"
    if is_frozen or settings.freeze == "encoder":
        freeze_encoder(model)
    if settings.gradient_checkpointing and not is_frozen:
        # transformers 5.23 warns of the old name; drop it when pyproject asks for 5.23 or newer.
        new: Any = getattr(model, "activation_checkpointing_enable", None)
        enable = new or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return model, head


def pool_tokens(job: Job, model: PreTrainedModel, head: Head) -> None:
    """Let the head read the mean of all tokens where ``model.pooling`` asks for it.

    Raises:
        ModelError: it asks for what this encoder or task does not allow.
    """
    pooling = job.recipe.model.pooling
    if pooling == "mean" and not head.pools:
        what = f"model.pooling = mean: the head of {job.task.name} reads every token"
        raise ModelError(what, hint="leave it out")
    wanted = pooling == "mean" or (pooling == "auto" and job.recipe.training.mode == "features")
    if wanted and head.pools and not add_averaging(model) and pooling == "mean":
        what = f"model.pooling = mean: {job.encoder.name} takes no layer that averages"
        raise ModelError(what, hint="--set model.pooling=first, or choose another encoder")


def make_trainer(job: Job, model: PreTrainedModel, head: Head) -> loop.Trainer:
    """The loop's inputs; model and optimizer are handed to Accelerate here."""
    settings, accelerator = job.recipe.training, job.accelerator
    metric = settings.metric or job.task.metric
    encoded = job.encoded["train"]
    plan = Plan(
        lengths=tuple(len(one) for one in encoded),
        batch_size=settings.batch_size,
        accumulation=settings.gradient_accumulation,
        epochs=settings.epochs,
        seed=settings.seed,
        processes=accelerator.num_processes,
    )
    fused = job.runtime.device in ("cpu", "cuda")
    model = model.to(accelerator.device)
    optimizer = make_optimizer(model, settings, fused=fused)
    tokenizer = job.encoder.tokenizer
    batcher = choose_batcher(model, tokenizer, head=head)
    if settings.mode == "features":
        readout = states_read_by(head)
        take_states(model, tokenizer, head=head, batcher=batcher, readout=readout)
    before_step = cheap_on_cpu(job, model) if job.runtime.device == "cpu" else []
    prepared, optimizer = accelerator.prepare(model, optimizer)
    ids = [job.splits["train"][one.example].id for one in encoded]
    task, tokenizer = job.task, job.encoder.tokenizer
    vary = task.vary(tokenizer, seed=settings.seed) if isinstance(task, SelfSupervised) else None
    return loop.Trainer(
        prepared,
        head,
        encoded,
        ids,
        batcher,
        plan,
        settings,
        optimizer,
        accelerator,
        metric,
        before_step,
        vary,
    )


def cheap_on_cpu(job: Job, model: PreTrainedModel) -> list[Callable[[], None]]:
    """Replace what torch does dearly on a CPU; what has to be called before each step."""
    use_fast_dropout(model)
    if job.accelerator.num_processes > 1:  # they exchange the gradients that torch makes
        return []
    return [table.begin for table in use_lookups(model)]


def training_plan(
    job: Job, trainer: loop.Trainer, model: PreTrainedModel, *, out: str
) -> TrainingPlan:
    """What is about to happen, counted."""
    encoded = [one for split in job.encoded.values() for one in split]
    own = isinstance(job.task, SelfSupervised)  # it cuts as it likes, and says so in remarks
    unknown = job.encoder.tokenizer.unk_token_id
    tokens = sum(len(one) for one in job.encoded["train"])
    unk = sum(one.input_ids.count(unknown) for one in job.encoded["train"] if unknown is not None)
    settings = job.recipe.training
    batch = f"{settings.batch_size}"
    if settings.gradient_accumulation > 1:
        batch += f" x {settings.gradient_accumulation}"
    return TrainingPlan(
        task=job.task.name,
        model=job.encoder.name,
        parameters=sum(p.numel() for p in model.parameters()),
        trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        labels=job.task.labels,
        examples={split: len(examples) for split, examples in job.splits.items()},
        windows=len(job.encoded["train"]),
        truncated=len({(id(one), one.example) for one in encoded if one.dropped and not own}),
        unknown_share=unk / max(1, tokens),
        epochs=settings.epochs,
        steps=trainer.plan.total_steps,
        batch=batch,
        device=job.runtime.device,
        precision=job.runtime.precision,
        reason=job.runtime.reason,
        threads=job.runtime.threads,
        packed=isinstance(trainer.batcher, Packer),
        run=out,
        mode=settings.mode,
        files=job.files,
    )
