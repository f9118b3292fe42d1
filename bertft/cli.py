"""The verbs: parse the arguments, call ``commands/``, hand the result to the console.

Here are those that train and answer; cli_inside.py looks into an encoder, cli_lists.py lists.

Exit codes: 0 done; 2 the input is at fault (one line); 3 ``check --strict`` has warnings; 1 a fault
of ours (traceback with --debug);
130 / 143 after SIGINT / SIGTERM. torch and transformers are imported inside the verbs, so that
``--help`` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bertft.cli_inside import inside_app
from bertft.cli_lists import lists_app, show_facts
from bertft.cli_options import (
    BadRowOption,
    Device,
    DeviceOption,
    DevOption,
    InputSetOption,
    JsonOption,
    ModelOption,
    OfflineOption,
    Precision,
    PrecisionOption,
    SetOption,
    TestOption,
    TrainOption,
    open_console,
)
from bertft.collector import importing
from bertft.errors import BertftError, Interrupted, RunError, TrainingError
from bertft.training import processes

if TYPE_CHECKING:
    from bertft.commands.train import TrainResult
    from bertft.console import Console

app = typer.Typer(
    name="bertft",
    help="Fine-tune BERT encoders on your own text: train, eval, predict.",
    epilog="Start here: bertft train sentiment, then bertft predict YOUR.txt",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lists_app)
app.add_typer(inside_app)


NEXT = {
    "classification": ("YOUR.txt", "YOUR.csv"),
    "nli": ("YOUR.csv", "YOUR.csv"),
    "ner": ("YOUR.txt", "YOUR.conll"),
    "qa": ("YOUR.txt --question '...'", "YOUR.json"),
}
"""What to predict and to evaluate next, by task."""


REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG}
"""What a system refuses for reasons that its user can mend: rights, room, an endless name."""


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"bertft {version('bertft')}")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Fine-tune BERT encoders on your own text: train, eval, predict."""
    _settings.debug = debug
    if processes.count() > 1 and context.invoked_subcommand != "train":
        what = f"{context.invoked_subcommand} runs in one process, not {processes.count()}"
        raise RunError(what, hint="only train can be started by accelerate launch or torchrun")


class _Settings:
    debug = False


_settings = _Settings()


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="A bundled recipe (bertft recipes list) or a TOML file.")
    ] = "",
    train: TrainOption = "",
    dev: DevOption = "",
    test: TestOption = "",
    model: ModelOption = "",
    out: Annotated[str, typer.Option("--out", metavar="RUN", help="Run directory to create.")] = "",
    set_: SetOption = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train K times and report mean and spread.")
    ] = 1,
    resume: Annotated[str, typer.Option(metavar="RUN", help="Go on with an interrupted run.")] = "",
    on_bad_row: BadRowOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, tell the cost; write nothing.")
    ] = False,
    offline: OfflineOption = False,
) -> None:
    """Fine-tune an encoder: a recipe in, a run directory out."""
    from bertft.errors import RecipeError

    if bool(recipe) == bool(resume):
        hint = "bertft train sentiment, or bertft train --resume runs/NAME"
        raise RecipeError("train needs a recipe, or --resume with a run", hint=hint)
    if resume and seeds > 1:
        raise RecipeError("--resume goes on with one run", hint="leave out --seeds")
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.prepare import TrainRequest
        from bertft.commands.train import train as run_training
        from bertft.commands.train import train_seeds

    request = TrainRequest(
        recipe=recipe,
        overrides=tuple(set_ or ()),
        train=train,
        dev=dev,
        test=test,
        model=model,
        out=out,
        seed=seed,
        resume=resume,
        offline=offline,
        dry_run=dry_run,
        on_bad_row=on_bad_row.value if on_bad_row else "",
    )
    if seeds > 1 and not dry_run and not resume:
        console.show_seeds(*train_seeds(request, count=seeds, watch=console))
        return
    result = run_training(request, watch=console)
    if result is not None:
        _show_result(console, result)


def _show_result(console: Console, result: TrainResult) -> None:
    """Scores, where the model is, and what can be done with it next."""
    console.show_scores(result.scores)
    console.say("")
    console.say(f"saved   {result.run}/best (a plain Hugging Face model)")
    if result.task == "pretraining":
        console.say(f"next    bertft train RECIPE --model {result.run}")
        console.say(f"        bertft fill-mask 'a text with a [MASK]' --model {result.run}")
        return
    texts, table = NEXT.get(result.task, NEXT["classification"])
    console.say(f"next    bertft predict {texts} --run {result.run}")
    console.say(f"        bertft eval {result.run} --data {table}")


class Size(StrEnum):
    """Google's sizes: layers and width."""

    TINY = "tiny"
    MINI = "mini"
    SMALL = "small"
    MEDIUM = "medium"
    BASE = "base"


class Embeddings(StrEnum):
    """Where the word embeddings of a new BERT come from."""

    COUNTED = "counted"
    RANDOM = "random"


@app.command()
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
        typer.Option(help="Where word embeddings of a new BERT start: counted if left out."),
    ] = None,
    no_nsp: Annotated[
        bool, typer.Option("--no-nsp", help="Masked tokens only, no next sentences.")
    ] = False,
    whole_words: Annotated[
        bool, typer.Option("--whole-words", help="Mask all pieces of a word or none.")
    ] = False,
    out: Annotated[str, typer.Option("--out", metavar="RUN", help="Run directory to create.")] = "",
    set_: SetOption = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    on_bad_row: BadRowOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, tell the cost; write nothing.")
    ] = False,
    offline: OfflineOption = False,
) -> None:
    """Pre-train an encoder on plain text: from scratch, or going on with one."""
    from bertft.errors import RecipeError

    if model and (size or vocab_size or lower_case or embeddings):
        what = "--size, --vocab-size, --lower-case and --embeddings describe a new encoder"
        raise RecipeError(what, hint="leave out --model, or leave them out")
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.pretrain import PretrainRequest
        from bertft.commands.pretrain import pretrain as run_pretraining

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
    result = run_pretraining(request, watch=console)
    if result is not None:
        _show_result(console, result)


@app.command()
def check(
    recipe: Annotated[
        str, typer.Argument(help="A bundled recipe (bertft recipes list) or a TOML file.")
    ],
    train: TrainOption = "",
    dev: DevOption = "",
    test: TestOption = "",
    model: ModelOption = "",
    set_: SetOption = None,
    on_bad_row: BadRowOption = None,
    fix: Annotated[
        str, typer.Option("--fix", metavar="OUT", help="Write repaired copies (questions) to OUT.")
    ] = "",
    examples: Annotated[
        int, typer.Option(min=0, max=20, help="Places that are shown of each finding.")
    ] = 3,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 on warnings.")] = False,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Look for what is amiss with data, without training; exit code 2 with errors."""
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.check import check as run_check
        from bertft.commands.prepare import TrainRequest, read_recipe

    request = TrainRequest(
        recipe=recipe,
        overrides=tuple(set_ or ()),
        train=train,
        dev=dev,
        test=test,
        model=model,
        on_bad_row=on_bad_row.value if on_bad_row else "",
    )
    report = run_check(read_recipe(request), fix=fix, offline=offline)
    if json:
        from bertft.console import emit_json

        emit_json(report.content(examples=examples))
    else:
        console.show_report(report, examples=examples)
    if code := report.exit_code(strict=strict):
        raise typer.Exit(code)


@app.command("eval")
def evaluate(
    target: Annotated[
        str, typer.Argument(metavar="RECIPE_OR_RUN", help="A run, or a recipe for its newest run.")
    ] = "",
    data: Annotated[str, typer.Option("--data", metavar="FILE", help="Score on this file.")] = "",
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="The run to score.")] = "",
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where scores are written.")
    ] = "",
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    json: JsonOption = False,
    offline: OfflineOption = False,
) -> None:
    """Score a run on its test data, or on a file of yours."""

    if not (run or target):
        raise RunError(
            "eval needs a run or a recipe", hint="bertft eval sentiment, or bertft eval runs/NAME"
        )
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.evaluate import evaluate as run_evaluation

    folder, scores = run_evaluation(
        run or target,
        data=data,
        out=out,
        overrides=tuple(set_ or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
        device=device.value,
        precision=precision.value,
        watch=console,
    )
    console.close()
    if json:
        from bertft.console import emit_json

        emit_json(scores)
    else:
        console.show_scores(scores)
    console.note(f"written: {folder}/scores.json, {folder}/report.html")


@app.command()
def predict(
    files: Annotated[
        list[str], typer.Argument(help="Text, CSV, TSV, JSONL or Parquet files; - for stdin.")
    ],
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="The run; newest if left out.")
    ] = "",
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Write here, not to stdout.")
    ] = "",
    format: Annotated[
        str, typer.Option("--format", help="jsonl, csv, tsv or txt; for entities also conll, html.")
    ] = "",
    input_format: Annotated[
        str, typer.Option("--input-format", help="Format of stdin: txt, csv, tsv or jsonl.")
    ] = "",
    question: Annotated[
        str, typer.Option("--question", metavar="Q", help="Ask this of each passage (qa models).")
    ] = "",
    top_k: Annotated[
        int | None, typer.Option(min=1, help="The K most probable labels, or best answers.")
    ] = None,
    whole_file: Annotated[bool, typer.Option("--whole-file", help="One text per file.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing --out.")
    ] = False,
    set_: InputSetOption = None,
    on_bad_row: BadRowOption = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.AUTO,
    offline: OfflineOption = False,
) -> None:
    """Answer the texts of files, one JSON object per line, in input order."""
    console = open_console(offline=offline)
    with importing():
        from bertft.commands.predict_files import PredictRequest, predict_files

    request = PredictRequest(
        files=tuple(files),
        run=run,
        out=out,
        format=format,
        input_format=input_format,
        question=question,
        top_k=top_k,
        whole_file=whole_file,
        overwrite=overwrite,
        overrides=tuple(set_ or ()),
        on_bad_row=on_bad_row.value if on_bad_row else "",
        device=device.value,
        precision=precision.value,
    )
    done = predict_files(request, watch=console)
    console.close()
    console.note(f"{done:,} texts answered" + (f": {out}" if out else ""))


@app.command()
def doctor(
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure the speed anew, for later runs too.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """What this machine can do: versions, device, measured speed, models at hand."""
    from bertft.commands.doctor import examine

    show_facts(examine(probe=probe), json=json)


def main() -> None:
    """Run the command line; every error leaves as one line and an exit code.

    A reader of our answers that has gone (head, for one) is an error of nobody: exit code 0. When
    the reader of our messages has gone too the error stays, for the work may be half done.
    """
    answers = sys.stdout  # typer replaces it when it meets a broken pipe
    if isinstance(answers, io.TextIOWrapper) and not answers.isatty():  # programs read UTF-8
        answers.reconfigure(encoding="utf-8", errors="surrogateescape")
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        _run()
    except SystemExit as end:
        try:
            if answers is not None:  # as it is when the shell closed it
                answers.flush()
        except BrokenPipeError:  # Python would flush it again at exit, and complain
            os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())
        if isinstance(end.__context__, BrokenPipeError) and _messages_are_read():
            raise SystemExit(0) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _run() -> None:
    """``app``, which always leaves by SystemExit; with --debug the error itself goes through."""
    try:
        _check_arguments()
        app()
    except (BertftError, Interrupted) as error:
        _fail(error, code=error.exit_code)
    except KeyboardInterrupt:
        _fail(KeyboardInterrupt("interrupted"), code=130)
    except OSError as error:
        if error.errno not in REFUSALS:
            _fail_of_ours(error)
        name = f"{error.filename}: " if error.filename else ""
        _fail(BertftError(f"{name}{error.strerror}"), code=2, cause=error)
    except Exception as error:
        _fail_of_ours(error)


def _check_arguments() -> None:
    """Raise BertftError for an argument that is no text: it could not be written to a run."""
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:
            hint = "rename the file, or use a UTF-8 locale"
            raise BertftError(f"{argument}: not a name in UTF-8", hint=hint) from None


def _messages_are_read() -> bool:
    """Whether stderr has a reader still; poll tells of one that has gone without being asked."""
    if sys.__stderr__ is None or not hasattr(select, "poll"):
        return True
    watched = select.poll()
    watched.register(sys.__stderr__.fileno(), 0)
    return not watched.poll(0)


def _fail_of_ours(error: Exception) -> None:
    what = f"{type(error).__name__}: {error}"
    hint = "a fault of bertft; run again as: bertft --debug ..."
    _fail(BertftError(what, hint=hint), code=1, cause=error)


def _fail(error: BaseException, *, code: int, cause: BaseException | None = None) -> None:
    from bertft.console import Console

    if _settings.debug:
        raise cause or error
    # What is wrong with the input is wrong in every process: one of them says it.
    if processes.is_main():
        Console().error(str(error))
    elif isinstance(error, TrainingError) or code == 1:
        Console().error(f"process {processes.rank()}: {error}")
    sys.exit(code)
