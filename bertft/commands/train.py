"""train: a recipe in, a run directory out.

    recipe -> examples -> labels -> encoder -> Encoded -> plan -> loop -> last/, best/ -> scores

Read order: TrainRequest, train, then the steps in the order in which ``train`` calls them.
"""

from __future__ import annotations

import signal
import statistics
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import set_seed
from transformers import PreTrainedModel

from bertft.commands import run_folder
from bertft.commands.evaluate import score_split, write_scores
from bertft.commands.model_card import model_card
from bertft.commands.predict import load
from bertft.commands.reading import hold_out, read_examples
from bertft.commands.watch import Recorder, Silent, TrainingPlan, Watch
from bertft.contracts import Encoded, Head, Progress, StepReport, Task
from bertft.encoder.load import Encoder, decomposes_hangul, load_encoder, usable_length
from bertft.encoder.packing import Packer, choose_batcher
from bertft.errors import Interrupted, ModelError, RecipeError, RunError, did_you_mean
from bertft.evaluation.inference import answers_of, compute_logits
from bertft.loaders.files import sha256
from bertft.recipe import HUB, DataSettings, Recipe, load_recipe
from bertft.tasks import make_task
from bertft.training import loop
from bertft.training.checkpoint import load_state, recover_folder, replace_folder, save_state
from bertft.training.journal import Journal
from bertft.training.optimizer import freeze_encoder, make_optimizer
from bertft.training.plan import Plan
from bertft.training.runtime import Runtime, choose_runtime, make_accelerator

HANGUL_SHARE = 0.1


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


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The run directory and its final scores; ``majority`` is the baseline of the same split."""

    run: Path
    split: str
    scores: dict[str, Any]
    best_dev: float | None


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


def train(request: TrainRequest, *, watch: Watch | None = None) -> TrainResult | None:
    """Fine-tune; returns None for a dry run.

    Raises:
        BertftError: the recipe, data, model or run directory is at fault.
        Interrupted: SIGINT or SIGTERM came; the step was finished and ``last/`` saved.
    """
    watch = Recorder(watch or Silent())
    recipe = read_recipe(request)
    run_folder.free_run_folder(request.out, recipe=request.recipe)
    job = prepare(recipe, request, watch=watch)
    model, head = build_model(job)
    trainer = make_trainer(job, model, head)
    dev_scorer(job, trainer, first=1)()  # a metric that does not exist is told before training
    plan = training_plan(job, trainer, model, out=request.resume or request.out)
    watch.plan(plan)
    if request.dry_run:
        return None
    progress, run = start_run(job, trainer, request)
    watch.note(f"run directory: {run}")
    journal = Journal(run / "journal.jsonl")
    journal.write("plan", asdict(plan))
    journal.notes(watch.take_notes())
    try:
        steps = fit(job, trainer, run, progress=progress, journal=journal)
        for report in steps:
            watch.step(report)
        return finish(job, run, journal=journal, progress=progress, watch=watch)
    finally:
        journal.notes(watch.take_notes())
        journal.close()


def train_seeds(
    request: TrainRequest, *, count: int, watch: Watch | None = None
) -> tuple[list[TrainResult], dict[str, float]]:
    """The same recipe with ``count`` seeds; the metric's mean and standard deviation over the runs.

    ``collapsed`` counts runs whose dev score is no better than always answering the majority class.
    """
    first = read_recipe(request).training.seed
    folder = run_folder.free_run_folder(request.out, recipe=request.recipe)
    results = []
    for seed in range(first, first + count):
        one = replace(request, seed=seed, out=str(folder / f"seed-{seed}"))
        result = train(one, watch=watch)
        assert result is not None
        results.append(result)
    values = [result.scores["metrics"][result.scores["metric"]]["value"] for result in results]
    floor = [result.scores["baseline"].get(result.scores["metric"], 0.0) for result in results]
    summary = {
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if count > 1 else 0.0,
        "collapsed": float(sum(value <= low for value, low in zip(values, floor, strict=True))),
    }
    return results, summary


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
    for name in ("last", "best"):
        recover_folder(run / name)
    if not (run / "last").is_dir():
        raise RunError(f"{run} has no checkpoint (no last/)", hint="train anew")
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
    update: dict[str, str] = {}
    if request.train:
        update = {"train": request.train, "dev": "", "test": ""}
    update |= {name: getattr(request, name) for name in ("dev", "test") if getattr(request, name)}
    if request.on_bad_row:
        update["on_bad_row"] = request.on_bad_row
    return data.model_copy(update=update)


def prepare(recipe: Recipe, request: TrainRequest, *, watch: Watch) -> Job:
    """Read and check all data, choose device and precision, load the encoder, encode."""
    task = make_task(recipe.task)
    splits, files = read_splits(task, recipe, watch=watch)
    own = splits["train"] if "dev" in files else splits["train"] + splits["dev"]
    task = task.learn_labels(own, path=recipe.data.train)
    for split, examples in splits.items():
        task.check(examples, path=files.get(split, recipe.data.train))
    settings = recipe.training
    runtime = choose_runtime(device=settings.device, precision=settings.precision)
    accelerator = make_accelerator(runtime)
    set_seed(settings.seed)
    encoder = load_encoder(recipe.model, offline=request.offline)
    length = usable_length(encoder.folder, asked=recipe.model.max_length)
    name = Path(request.recipe or request.resume).stem
    job = Job(recipe, name, task, splits, files, encoder, runtime, accelerator)
    if not recipe.model.decomposed_hangul:
        refuse_decomposed_hangul(job)
    for split in ("train", "dev"):
        job.encoded[split] = task.encode(splits[split], encoder.tokenizer, max_length=length)
    return job


def read_splits(
    task: Task[Any], recipe: Recipe, *, watch: Watch
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """({split: examples}, {split: path}); a missing dev set is held out from train, and said."""
    data = recipe.data
    if not data.train:
        raise RecipeError("the recipe names no training data", hint="give a file with --train")
    files = {name: getattr(data, name) for name in ("train", "dev", "test") if getattr(data, name)}
    splits = {name: read_examples(task, path, data, watch=watch) for name, path in files.items()}
    if "dev" not in splits:
        splits["train"], splits["dev"] = hold_out(
            splits["train"], share=data.dev_share, seed=recipe.training.seed
        )
        watch.note(f"no dev set given: {len(splits['dev'])} rows of the training data are held out")
    return splits, files


def refuse_decomposed_hangul(job: Job) -> None:
    """Raise ModelError for Korean text with a tokenizer that splits its syllables into jamo."""
    examples = job.splits["train"]
    texts = (unicodedata.normalize("NFC", getattr(one, "text", "")) for one in examples)
    korean = sum(any("가" <= c <= "힣" for c in text) for text in texts)
    if korean > HANGUL_SHARE * len(examples) and decomposes_hangul(job.encoder.tokenizer):
        what = f"{korean} of {len(examples)} texts are Korean, and {job.encoder.name} splits Hangul"
        hint = "choose a Korean model ('bertft models list --language ko')"
        raise ModelError(f"{what} into jamo", hint=f"{hint} or --set model.decomposed_hangul=true")


def build_model(job: Job) -> tuple[PreTrainedModel, Head]:
    """The model with a new head, from the recipe's seed; frozen as the recipe says."""
    settings = job.recipe.training
    head = job.task.head(job.splits["train"])
    set_seed(settings.seed)
    model = head.build(job.encoder.folder)
    if settings.freeze == "encoder":
        freeze_encoder(model)
    if settings.gradient_checkpointing:
        # transformers 5.23 warns of the old name; drop it when pyproject asks for 5.23 or newer.
        new: Any = getattr(model, "activation_checkpointing_enable", None)
        enable = new or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return model, head


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
    batcher = choose_batcher(model, job.encoder.tokenizer, head=head)
    prepared, optimizer = accelerator.prepare(model, optimizer)
    ids = [job.splits["train"][one.example].id for one in encoded]
    return loop.Trainer(
        prepared, head, encoded, ids, batcher, plan, settings, optimizer, accelerator, metric
    )


def training_plan(
    job: Job, trainer: loop.Trainer, model: PreTrainedModel, *, out: str
) -> TrainingPlan:
    """What is about to happen, counted."""
    encoded = [one for split in job.encoded.values() for one in split]
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
        truncated=len({(id(one), one.example) for one in encoded if one.dropped}),
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
        files=job.files,
    )


def start_run(job: Job, trainer: loop.Trainer, request: TrainRequest) -> tuple[Progress, Path]:
    """Create the run directory with its recipe and environment, or reopen it to go on."""
    digests = {name: sha256(path) for name, path in job.files.items() if _is_file(path)}
    if request.resume:
        return reopen_run(job, trainer, Path(request.resume), digests), Path(request.resume)
    run = run_folder.new_run_folder(request.out, recipe=request.recipe)
    (run / "recipe.toml").write_text(job.recipe.to_toml(), encoding="utf-8")
    details = {
        "model": {"name": job.encoder.name, "revision": job.encoder.revision},
        "data": {name: {"path": job.files[name], "sha256": sha} for name, sha in digests.items()},
        "labels": list(job.task.labels),
        "device": job.runtime.device,
        "precision": {"used": job.runtime.precision, "reason": job.runtime.reason},
        "threads": job.runtime.threads,
        "processes": job.accelerator.num_processes,
    }
    content = run_folder.environment(job.recipe, name=job.name, details=details)
    run_folder.write_json(run / "environment.json", content)
    return Progress(), run


def reopen_run(job: Job, trainer: loop.Trainer, run: Path, digests: dict[str, str]) -> Progress:
    """Load ``last/`` of a run. Raises RunError when its data or its recipe changed."""
    known = run_folder.read_json(run / "environment.json")
    for name, sha in digests.items():
        if known.get("data", {}).get(name, {}).get("sha256") != sha:
            raise RunError(f"{job.files[name]} changed since {run} was started", hint="train anew")
    job.name = str(known.get("recipe", job.name))
    model = trainer.accelerator.unwrap_model(trainer.model)
    return load_state(run / "last", model, trainer.optimizer, recipe_hash=job.recipe.hash())


def _is_file(path: str) -> bool:
    return not path.startswith(HUB) and path != "-"


def fit(
    job: Job, trainer: loop.Trainer, run: Path, *, progress: Progress, journal: Journal
) -> Iterator[StepReport]:
    """Run the loop; write journal, best/ and last/ after the steps that call for it."""
    journal.write("start", {"step": progress.step, "precision": job.runtime.precision})
    evaluate = dev_scorer(job, trainer)
    save = state_saver(job, trainer, run, progress=progress)
    with caught_signals() as received:
        for report in loop.run(trainer, progress=progress, evaluate=evaluate):
            journal.step(report)
            if report.is_best:
                save_best(job, trainer, run, report=report)
            if report.scores is not None:
                save()
            yield report
            if received and not report.is_last:
                save()
                name = signal.Signals(received[0]).name
                journal.write("note", {"step": report.step, "text": f"stopped by {name}"})
                message = f"stopped by {name} after step {report.step}"
                hint = f"go on with: bertft train --resume {run}"
                raise Interrupted(f"{message}; {hint}", signal_number=received[0])


def dev_scorer(
    job: Job, trainer: loop.Trainer, *, first: int | None = None
) -> Callable[[], dict[str, float]]:
    """A function that scores the dev set, or its ``first`` examples, with the weights as they are.

    Raises:
        RecipeError: the recipe's metric is none of the task's scores.
    """
    examples = job.splits["dev"][:first]
    encoded = [one for one in job.encoded["dev"] if one.example < len(examples)]

    def evaluate() -> dict[str, float]:
        logits = compute_logits(
            trainer.model,
            encoded,
            head=trainer.head,
            batcher=trainer.batcher,
            precision=job.runtime.precision,
        )
        values = job.task.score(examples, answers_of(job.task, examples, encoded, logits)).values
        if trainer.metric not in values:
            hint = did_you_mean(trainer.metric, values)
            raise RecipeError(f"training.metric: no score '{trainer.metric}'", hint=hint)
        return values

    return evaluate


def state_saver(
    job: Job, trainer: loop.Trainer, run: Path, *, progress: Progress
) -> Callable[[], None]:
    """A function that writes ``last/``."""

    def save() -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        if trainer.accelerator.is_main_process:
            replace_folder(
                run / "last",
                lambda folder: save_state(
                    folder,
                    model,
                    trainer.optimizer,
                    progress=progress,
                    recipe_hash=job.recipe.hash(),
                ),
            )

    return save


def save_best(job: Job, trainer: loop.Trainer, run: Path, *, report: StepReport) -> None:
    """Write ``best/``: a plain Hugging Face folder plus bertft.json and a model card."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not trainer.accelerator.is_main_process:
        return
    card = {
        "task": job.recipe.task,
        "labels": list(job.task.labels),
        "max_length": job.recipe.model.max_length,
        "recipe": job.name,
        "recipe_hash": job.recipe.hash(),
        "encoder": {"name": job.encoder.name, "revision": job.encoder.revision},
        "step": report.step,
        "dev_scores": report.scores,
    }

    def write(folder: Path) -> None:
        model.save_pretrained(folder)
        job.encoder.tokenizer.save_pretrained(folder)
        run_folder.write_json(folder / run_folder.CARD, card)
        (folder / "README.md").write_text(model_card(card, job.recipe), encoding="utf-8")

    replace_folder(run / "best", write)


def finish(
    job: Job, run: Path, *, journal: Journal, progress: Progress, watch: Watch
) -> TrainResult:
    """Score the best checkpoint on test (or dev) and write the run's scores."""
    split = "test" if "test" in job.splits else "dev"
    predictor = load(run / "best", device=job.runtime.device, precision=job.runtime.precision)
    path = job.files.get(split, job.recipe.data.train)
    metric = job.recipe.training.metric
    scored = score_split(
        predictor, job.splits[split], split=split, path=path, metric=metric, watch=watch
    )
    if split == "dev":
        watch.note("no test set: the scores are those of dev, which chose the checkpoint")
    content = write_scores(run, scored)
    journal.write("finish", {"split": split, "best_step": progress.best_step})
    return TrainResult(run, split, content, progress.best_score)


@contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them; a second one changes nothing."""
    received: list[int] = []
    watched = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.getsignal(number) for number in watched}
        for number in watched:
            signal.signal(number, lambda n, _frame: received.append(n))
    except ValueError:  # not in the main thread: the caller keeps its own handlers
        before = {}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
