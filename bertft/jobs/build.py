"""From a Job to what the loop runs on: its model, the loop.Trainer, and the plan that is shown.

Job -> build_model -> make_trainer -> training_plan, in the order in which ``train`` calls them
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from accelerate.utils import set_seed
from torch.nn.parallel import DistributedDataParallel
from transformers import PreTrainedModel

from bertft.contracts import Encoded, Head, Ranking, SelfSupervised
from bertft.encoder.averaging import add_averaging
from bertft.encoder.cut import cut_layers
from bertft.encoder.dropout import set_dropout, use_fast_dropout
from bertft.encoder.encoded_rows import examples_of, lengths_of, originals
from bertft.encoder.fused import use_fused_layers
from bertft.encoder.load import check_vocabulary
from bertft.encoder.lookup import Lookup, use_lookups
from bertft.encoder.norms import use_half_states
from bertft.encoder.packing import Packer, choose_batcher
from bertft.encoder.states import take_states
from bertft.errors import ModelError
from bertft.heads.fitted import pass_states_on
from bertft.heads.hidden import states_read_by
from bertft.heads.inherited import inherited
from bertft.jobs.few_shot import learn_from_pairs
from bertft.jobs.lora import check_lora
from bertft.jobs.lower_layers import layers_to_keep
from bertft.jobs.prepare import Job
from bertft.rows import Mapped, Picked
from bertft.settings import LAYERS
from bertft.training import loop, processes, sharding
from bertft.training.adapters import add_adapters
from bertft.training.allocator import keep_freed_memory
from bertft.training.optimizer import (
    depth_of,
    freeze_but_layers,
    freeze_encoder,
    freeze_layers,
    make_optimizer,
)
from bertft.training.plan import Plan
from bertft.training.rows import RowSteps
from bertft.watch import TrainingPlan


def build_model(job: Job) -> tuple[PreTrainedModel, Head]:
    """The model with a new head, from the recipe's seed; frozen as the recipe says."""
    settings = job.recipe.training
    head = job.task.head(job.splits["train"])
    set_seed(settings.seed)
    model = head.build(job.encoder.folder)
    check_vocabulary(model, job.encoder.tokenizer)
    if layers := job.recipe.model.layers:
        cut_layers(model, layers, name=job.encoder.name)
    depth = depth_of(model)
    pool_tokens(job, model, head)
    if settings.dropout >= 0:
        set_dropout(model, settings.dropout)
    is_frozen = settings.mode == "features"
    if settings.mode == "few-shot":
        if not depth:  # ALBERT has one layer, under another name
            what = f"few-shot mode: the layers of {job.encoder.name} are not known here"
            raise ModelError(what, hint="--set training.mode=features, or choose another encoder")
        pass_states_on(model)
        freeze_but_layers(model, count=depth)
    if is_frozen or settings.freeze == "encoder":
        freeze_encoder(model)
    elif settings.freeze.startswith(LAYERS):
        freeze_layers(model, int(settings.freeze.removeprefix(LAYERS)))
    if settings.mode == "lora":
        check_lora(job)
        add_adapters(model, job.recipe.lora)
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
    if isinstance(job.task, Ranking):  # its head pools
        return
    if pooling == "mean" and not head.pools:
        what = f"model.pooling = mean: the head of {job.task.name} reads every token"
        raise ModelError(what, hint="leave it out")
    wanted = pooling == "mean"
    if pooling == "auto" and job.recipe.training.mode in ("features", "few-shot"):
        # A head that is kept has learned from what the encoder gives it as it is.
        is_kept = job.recipe.training.mode == "features"
        wanted = not (is_kept and inherited(model, job.encoder.folder).rows)
    if wanted and head.pools and not add_averaging(model) and pooling == "mean":
        what = f"model.pooling = mean: {job.encoder.name} takes no layer that averages"
        raise ModelError(what, hint="--set model.pooling=first, or choose another encoder")


def make_trainer(job: Job, model: PreTrainedModel, head: Head) -> loop.Trainer:
    """The loop's inputs; model and optimizer are handed to Accelerate here."""
    settings, accelerator = job.recipe.training, job.accelerator
    metric = settings.metric or job.task.metric
    encoded = job.encoded["train"]
    fused = job.runtime.device in ("cpu", "cuda")
    if not job.runtime.sharded:  # then each process's part alone is moved
        model = model.to(accelerator.device)
    tokenizer = job.encoder.tokenizer
    batcher = choose_batcher(model, tokenizer, head=head)
    if settings.mode == "features":
        readout = states_read_by(head)
        take_states(model, tokenizer, head=head, batcher=batcher, readout=readout)
    kept_layers = layers_to_keep(job, model, head, batcher)
    tables = cheap_on_cpu(job, model) if job.runtime.device == "cpu" else []
    after_backward = exchange_rows(model, tables)
    if job.runtime.sharded:
        sharding.shard(model, device=accelerator.device, precision=job.runtime.precision)
    optimizer: Any = make_optimizer(model, settings, fused=fused)
    for table in tables:
        RowSteps(table, optimizer)
    optimizer = accelerator.prepare_optimizer(optimizer)
    prepared = model if job.runtime.sharded else accelerator.prepare_model(model)
    ids = Mapped(attrgetter("id"), Picked([job.splits["train"]], examples_of(encoded)))
    task, vary = job.task, None
    if isinstance(task, SelfSupervised):
        train, length = job.splits["train"], job.recipe.model.max_length
        vary = task.vary(train, tokenizer, max_length=length, seed=settings.seed)
    trainer = loop.Trainer(
        prepared,
        head,
        encoded,
        ids,
        batcher,
        order_of_batches(job),
        settings,
        optimizer,
        accelerator,
        metric,
        tables,
        after_backward,
        vary,
        kept_layers=kept_layers,
    )
    if settings.mode == "few-shot":
        learn_from_pairs(job, trainer)
    return trainer


def order_of_batches(job: Job) -> Plan:
    """Which sequences each step of each process learns from."""
    settings = job.recipe.training
    is_whole = isinstance(job.task, Ranking)
    return Plan(
        lengths=tuple(lengths_of(job.encoded["train"])),
        batch_size=settings.batch_size,
        accumulation=settings.gradient_accumulation,
        epochs=settings.epochs,
        seed=settings.seed,
        processes=job.accelerator.num_processes,
        parts=parts_of_examples(job.encoded["train"]) if is_whole else (),
    )


def parts_of_examples(encoded: Sequence[Encoded]) -> tuple[tuple[int, ...], ...]:
    """The Encoded of each example; of those that share one array of tokens, the first."""
    parts: dict[int, list[int]] = {}
    for example, original in zip(examples_of(encoded), originals(encoded), strict=True):
        parts.setdefault(example, []).append(original)
    return tuple(map(tuple, parts.values()))


def cheap_on_cpu(job: Job, model: PreTrainedModel) -> list[Lookup]:
    """Replace what torch does dearly on a CPU; the tables whose gradients are rows."""
    keep_freed_memory()
    use_fast_dropout(model)
    use_half_states(model)
    # The gradients of a sharded model are torch's to make and to exchange.
    if job.runtime.sharded:
        return []
    use_fused_layers(model)
    return use_lookups(model)


def exchange_rows(model: PreTrainedModel, tables: Sequence[Lookup]) -> list[Callable[[], None]]:
    """Have processes exchange the rows that a step touched, not whole tables; what does that.

    A table is half of a small encoder, and a step touches a few hundred of its rows.
    """
    if processes.count() == 1:
        return []
    own = {f"{name}.weight" for name, one in model.named_modules() if one in tables}
    buffers = {name for name, _ in model.named_buffers()}  # no encoder changes one in training
    parallel: Any = DistributedDataParallel  # torch 2.13 leaves this method untyped
    parallel._set_params_and_buffers_to_ignore_for_model(model, own | buffers)

    def exchange(table: Lookup) -> None:
        ids, rows = table.rows()
        assert rows.grad is not None
        table.replace(processes.gathered_rows(ids, rows.grad))

    return [partial(exchange, table) for table in tables]


def training_plan(
    job: Job, trainer: loop.Trainer, model: PreTrainedModel, *, out: str
) -> TrainingPlan:
    """What is about to happen, counted."""
    own = isinstance(job.task, SelfSupervised)  # it cuts as it likes, and says so in remarks
    unknown = job.encoder.tokenizer.unk_token_id
    truncated = unk = 0
    for split, encoded in job.encoded.items():
        for one in encoded:
            truncated += bool(one.dropped) and not own
            if split == "train" and unknown is not None:
                unk += one.input_ids.count(unknown)
    tokens = sum(lengths_of(job.encoded["train"]))
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
        truncated=truncated,
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
        keep=settings.keep,
        files=job.files,
    )
