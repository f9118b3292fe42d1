"""`bertft` for the tests of the documentation: a process that has imported everything, and forks.

    python tests/docs/server.py SOCKET

Hundreds of commands are tried, and four of the five seconds that one takes are imports. A command
(`shell.py` puts it on PATH) sends its arguments, folder, environment and open streams here and gets
an exit code back. Where DOCS_SHORT is set a training is cut down to what a test can afford.
"""

from __future__ import annotations

import array
import json
import os
import pkgutil
import resource
import runpy
import signal
import socket
import sys
import traceback
from importlib import import_module

LONGEST = 120
"""Seconds of computing. What takes longer belongs into a ```sh block, where it is cut down."""
SHORT = (
    "training.device=cpu",
    "training.precision=fp32",
    "training.epochs=1",
    "model.max_length=32",
)
"""What cuts a training down, whatever it learns from."""
TINY = (
    "training.batch_size=32",
    "training.learning_rate=5e-3",
    "training.layer_decay=1.0",
    "training.early_stopping=0",
)
QUESTIONS = ("model.max_length=64", "task.window_overlap=8", "task.max_question_length=16")
ENTITIES = ("task.window_overlap=8",)


def main() -> None:
    path = sys.argv[1]
    import bertft

    for module in pkgutil.walk_packages(bertft.__path__, "bertft."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for heavy in ("accelerate", "datasets", "evaluate", "torch", "transformers"):
        import_module(heavy)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _answer(connection)
        connection.close()


def _answer(connection: socket.socket) -> None:
    """The child: it becomes the command; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST))
    streams = array.array("i")
    message, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(3 * streams.itemsize))
    streams.frombytes(ancillary[0][2])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    asked = json.loads(message)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    code = 1
    try:
        code = _run(asked["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        for output in (sys.stdout, sys.stderr):
            output.flush()
        connection.send(bytes([code]))
        os._exit(code)


def _run(arguments: list[str]) -> int:
    """`bertft ARGUMENTS`, or `python FILE` where the first is a Python file."""
    # Line by line, so that both come in order, as on a terminal.
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    try:
        if arguments[0].endswith(".py"):
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            short = shortened(arguments) if os.environ.get("DOCS_SHORT") else arguments
            sys.argv = ["bertft", *short]
            runpy.run_module("bertft", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def shortened(arguments: list[str]) -> list[str]:
    """A training in seconds: with the stand-in for encoders, one epoch of short texts."""
    verb = arguments[0]
    if verb not in ("train", "pretrain") or {"--resume", "--help"} & {*arguments}:
        return arguments
    settings = list(SHORT)
    if verb == "train" or "--model" in arguments:
        settings += TINY
        arguments = [*arguments, "--model", os.environ["DOCS_SHORT"]]
    if verb == "train":
        settings += {"qa": QUESTIONS, "ner": ENTITIES}.get(_task(arguments), ())
        arguments += _given_with_data(arguments)
    return arguments + [word for setting in settings for word in ("--set", setting)]


def _given_with_data(arguments: list[str]) -> list[str]:
    """The files of a page are short: none is held out of, and a row that is wrong is left out."""
    more = [] if "--on-bad-row" in arguments else ["--on-bad-row", "skip"]
    if "--train" in arguments and "--dev" not in arguments:
        more += ["--dev", arguments[arguments.index("--train") + 1]]
    return more


def _task(arguments: list[str]) -> str:
    from bertft.recipe import load_recipe

    return str(load_recipe(arguments[1]).task["name"])


if __name__ == "__main__":
    main()
