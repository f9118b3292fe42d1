"""The verbs that train; app.py adds them to ``bertft``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bertft.cli import completion
from bertft.cli.options import (
    BadRowOption,
    DevOption,
    DryRunOption,
    FeaturesOption,
    ModelOption,
    NewRunOption,
    OfflineOption,
    RecipeArgument,
    RunArgument,
    SeedOption,
    SetOption,
    TestOption,
    TrainOption,
    open_console,
    tell_start,
)
from bertft.cli.verb import TRAIN, verb
from bertft.collector import importing
from bertft.errors import RecipeError
from bertft.words import seconds_of

if TYPE_CHECKING:
    from bertft.commands.train import TrainResult
    from bertft.commands.train_several import Folds
    from bertft.console.console import Console
    from bertft.jobs.request import TrainRequest
    from bertft.runs.several import Kind

train_app = typer.Typer()

NEXT = {
    "classification": ("YOUR.txt", "YOUR.csv"),
    "nli": ("YOUR.csv", "YOUR.csv"),
    "ner": ("YOUR.txt", "YOUR.conll"),
    "qa": ("YOUR.txt --question '...'", "YOUR.json"),
}
"""What to predict and to evaluate next, by task."""


@verb(
    train_app,
    panel=TRAIN,
    examples=("train sentiment --train reviews.csv --out runs/demo", "train banking77 --features"),
)
def train(
    recipe: Annotated[str, RecipeArgument] = "",
    train: TrainOption = "",
    dev: DevOption = "",
    test: TestOption = "",
    model: ModelOption = "",
    out: NewRunOption = "",
    set_: SetOption = None,
    seed: SeedOption = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train K times and report mean and spread.")
    ] = 1,
    folds: Annotated[
        int,
        typer.Option(
            min=0, metavar="K", help="Cross-validation: K runs, each row scored out of fold."
        ),
    ] = 0,
    resume: Annotated[
        str,
        typer.Option(
            metavar="RUN", help="Go on with what was interrupted.", autocompletion=completion.runs
        ),
    ] = "",
    features: FeaturesOption = False,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Train what fits a time, e.g. 10m or 1h30m.")
    ] = "",
    on_bad_row: BadRowOption = None,
    dry_run: DryRunOption = False,
    offline: OfflineOption = False,
) -> None:
    """Fine-tune an encoder: a recipe in, a run directory out."""
    if bool(recipe) == bool(resume):
        hint = "bertft train sentiment, or bertft train --resume runs/NAME"
        raise RecipeError("train needs a recipe, or --resume with a run", hint=hint)
    if resume and (seeds > 1 or folds):
        raise RecipeError("--resume goes on as it was begun", hint="leave out --seeds and --folds")
    if folds == 1 or (folds and seeds > 1):
        raise RecipeError("--folds takes 2 or more, and no --seeds", hint="as in --folds 5")
    if budget and (resume or seeds > 1 or folds):
        what = "--budget plans one new run"
        raise RecipeError(what, hint="leave out --resume, --seeds and --folds, or --budget")
    if budget:
        seconds_of(budget)
    console = open_console(offline=offline)
    from bertft.jobs.request import TrainRequest
    from bertft.runs.first_look import look_at_training
    from bertft.runs.folder import run_folder
    from bertft.runs.several import first_of, look_at_several

    request = TrainRequest(
        recipe=recipe,
        overrides=(*["training.mode=features"] * features, *(set_ or ())),
        train=train,
        dev=dev,
        test=test,
        model=model,
        out=out,
        seed=seed,
        resume=str(run_folder(resume)) if resume else "",
        offline=offline,
        dry_run=dry_run,
        on_bad_row=on_bad_row.value if on_bad_row else "",
        budget=budget,
    )
    kind, count = _kind(request, seeds=seeds, folds=folds)
    if kind and request.resume:
        files = [request.resume]
    else:
        checked = look_at_training(request)
        files = [checked.data.train, *checked.data.further]
        if kind:
            look_at_several(request, checked, kind=kind)
    tell_start(console, recipe or request.resume, files)
    with importing():
        from bertft.commands import train_several
        from bertft.commands.train import train as run_training

    if kind and dry_run:
        request = first_of(request, kind=kind, count=count)
        console.note(f"the first of {count} runs:")
    elif kind == "seed":
        from bertft.console.scores import show_seeds

        show_seeds(console, *train_several.train_seeds(request, count=count, watch=console))
        return
    elif kind == "fold":
        _show_folds(console, train_several.train_folds(request, count=count, watch=console))
        return
    result = run_training(request, watch=console)
    if result is not None:
        show_result(console, result)


def _kind(request: TrainRequest, *, seeds: int, folds: int) -> tuple[Kind | None, int]:
    """What several runs are asked to differ in, and how many; None for a single run."""
    from pathlib import Path

    from bertft.runs.several import is_several, open_several

    folder = Path(request.resume)
    if request.resume and is_several(folder):
        if request.train or request.dev or request.test or request.model:
            raise RecipeError(
                "several runs go on with the files that they were begun with",
                hint="leave out all other flags",
            )
        plan = open_several(folder).plan
        return plan.kind, len(plan.values)
    if folds:
        return "fold", folds
    return ("seed", seeds) if seeds > 1 else (None, 1)


def _show_folds(console: Console, result: Folds) -> None:
    from bertft.console.scores import show_scores

    show_scores(console, result.scores)
    console.say("")
    console.say(f"saved   {result.folder}/predictions.jsonl (every row, out of fold)")
    console.say(f"report  {result.folder}/report.html")


def show_result(console: Console, result: TrainResult) -> None:
    """Scores, where the model is, and what can be done with it next."""
    from bertft.console.scores import show_scores

    show_scores(console, result.scores)
    console.say("")
    console.say(f"saved   {result.run}/best (a plain Hugging Face model)")
    if result.task == "pretraining":
        console.say(f"next    bertft train RECIPE --model {result.run}")
        console.say(f"        bertft fill-mask 'a text with a [MASK]' --model {result.run}")
        return
    if result.task == "retrieval":
        console.say(f"next    bertft search 'a question' FILES --model {result.run}")
        console.say(f"        bertft eval {result.run} --data YOUR.csv")
        return
    texts, table = NEXT.get(result.task, NEXT["classification"])
    console.say(f"next    bertft predict {texts} --run {result.run}")
    console.say(f"        bertft eval {result.run} --data {table}")


@verb(train_app, panel=TRAIN, examples=("rerun demo", "rerun runs/demo --out runs/again"))
def rerun(
    run: Annotated[str, RunArgument],
    out: NewRunOption = "",
    offline: OfflineOption = False,
) -> None:
    """Train a run again from its record; say whether the score is the same, else what changed."""
    console = open_console(offline=offline)
    from bertft.runs.folder import free_run_folder, run_folder

    folder = run_folder(run)
    if out:
        free_run_folder(out, recipe="")
    tell_start(console, "rerun", [str(folder)])
    with importing():
        from bertft.commands.rerun import rerun as repeat
    from bertft.console.rerun import show_repeat

    show_repeat(console, repeat(run, out=out, offline=offline, watch=console))


class Size(StrEnum):
    """Google's sizes: layers and width."""

    TINY = "tiny"
    MINI = "mini"
    SMALL = "small"
    MEDIUM = "medium"
    BASE = "base"


class Embeddings(StrEnum):
    """Where the embeddings of words and positions of a new BERT come from."""

    COUNTED = "counted"
    RANDOM = "random"


@verb(
    train_app,
    panel=TRAIN,
    examples=(
        "pretrain corpus.txt --size tiny --out runs/own",
        "pretrain corpus.txt --model bert-base-uncased",
    ),
)
def pretrain(
    corpus: Annotated[
        list[str],
        typer.Argument(help="Text files: a sentence on each line, blank lines between documents."),
    ],
    dev: Annotated[
        str, typer.Option("--dev", metavar="FILE", help="Held-out text; else a part of the corpus.")
    ] = "",
    test: Annotated[
        str, typer.Option("--test", metavar="FILE", help="Text for the final scores.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", help="Go on with this encoder (domain adaptation).")
    ] = "",
    size: Annotated[Size | None, typer.Option(help="Size of a new BERT; tiny if left out.")] = None,
    vocab_size: Annotated[
        int | None, typer.Option(min=100, help="WordPieces of a new vocabulary (30,000).")
    ] = None,
    lower_case: Annotated[
        bool, typer.Option("--lower-case", help="A new vocabulary without capitals.")
    ] = False,
    embeddings: Annotated[
        Embeddings | None,
        typer.Option(help="Of a new BERT: counted words, neighbours found by position; or random."),
    ] = None,
    no_nsp: Annotated[
        bool, typer.Option("--no-nsp", help="Masked tokens only, no next sentences.")
    ] = False,
    whole_words: Annotated[
        bool, typer.Option("--whole-words", help="Mask all pieces of a word or none.")
    ] = False,
    out: NewRunOption = "",
    set_: SetOption = None,
    seed: SeedOption = None,
    on_bad_row: BadRowOption = None,
    dry_run: DryRunOption = False,
    offline: OfflineOption = False,
) -> None:
    """Pre-train an encoder on plain text: from scratch, or going on with one."""
    if model and (size or vocab_size or lower_case or embeddings):
        what = "--size, --vocab-size, --lower-case and --embeddings describe a new encoder"
        raise RecipeError(what, hint="leave out --model, or leave them out")
    console = open_console(offline=offline)
    from bertft.jobs.pretraining import PretrainRequest, train_request
    from bertft.runs.first_look import look_at_training

    request = PretrainRequest(
        corpus=tuple(corpus),
        dev=dev,
        test=test,
        model=model,
        size=(size or Size.TINY).value,
        vocabulary=vocab_size or 30_000,
        lower_case=lower_case,
        counted=embeddings is not Embeddings.RANDOM,
        next_sentence=not no_nsp,
        whole_words=whole_words,
        out=out,
        overrides=tuple(set_ or ()),
        seed=seed,
        offline=offline,
        dry_run=dry_run,
        on_bad_row=on_bad_row.value if on_bad_row else "",
    )
    look_at_training(train_request(request, out=out))
    tell_start(console, "pretrain", corpus)
    with importing():
        from bertft.commands.pretrain import pretrain as run_pretraining

    result = run_pretraining(request, watch=console)
    if result is not None:
        show_result(console, result)
