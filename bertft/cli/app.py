"""The command ``bertft``: its verbs are put together here, and what goes wrong is told here.

train.py trains, distil.py lets a run teach another, launch.py writes scripts for many machines,
search.py searches for settings, data.py looks at data, labelling.py leads from texts to labels,
answer.py scores and answers, export.py exports, serve.py serves, documents.py finds things in
documents, compare.py compares two files, inside.py and vectors.py look into an encoder,
pretrained.py asks the heads of pre-training, share.py gives models away and lists.py lists; each
parses arguments, calls ``commands/`` and hands the result to the console.

Exit codes: 0 done; 2 the input is at fault (one line); 3 ``check --strict`` has warnings; 1 a fault
of ours (traceback with --debug); 130 / 143 after SIGINT / SIGTERM.
torch and transformers are imported inside the verbs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from typing import Annotated

import typer

from bertft.cli.answer import answer_app
from bertft.cli.compare import compare_app
from bertft.cli.data import data_app
from bertft.cli.distil import distil_app
from bertft.cli.documents import documents_app
from bertft.cli.export import export_app
from bertft.cli.inside import inside_app
from bertft.cli.labelling import labelling_app
from bertft.cli.launch import launch_app
from bertft.cli.lists import lists_app
from bertft.cli.options import close_consoles
from bertft.cli.pretrained import pretrained_app
from bertft.cli.search import search_app
from bertft.cli.serve import serve_app
from bertft.cli.share import share_app
from bertft.cli.train import train_app
from bertft.cli.vectors import vectors_app
from bertft.cli.verb import Group
from bertft.errors import BertftError, Interrupted, RunError, TrainingError
from bertft.training import processes

app = typer.Typer(
    cls=Group,
    name="bertft",
    help="Fine-tune BERT encoders on your own text: train, eval, predict.",
    epilog="Start here: bertft train sentiment, then bertft predict YOUR.txt",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train_app)
app.add_typer(launch_app)
app.add_typer(data_app)
app.add_typer(labelling_app)
app.add_typer(search_app)
app.add_typer(distil_app)
app.add_typer(answer_app)
app.add_typer(share_app)
app.add_typer(export_app)
app.add_typer(serve_app)
app.add_typer(documents_app)
app.add_typer(inside_app)
app.add_typer(vectors_app)
app.add_typer(compare_app)
app.add_typer(pretrained_app)
app.add_typer(lists_app)


REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG}
"""What a system refuses for reasons that its user can fix: rights, room, an endless name."""


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
        close_consoles()
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
    from bertft.console.console import Console

    close_consoles()
    if _settings.debug:
        raise cause or error
    # What is wrong with the input is wrong in every process: one of them says it.
    if processes.is_main():
        Console().error(str(error))
    elif isinstance(error, TrainingError) or code == 1:
        Console().error(f"process {processes.rank()}: {error}")
    sys.exit(code)
