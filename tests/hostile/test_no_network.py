"""Nothing is looked up and nobody is called: train, eval and predict in a process that is watched.

The watch is an audit hook that Python itself calls, set before the first import of bertft.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from samples import FAST, set_flags

WATCH = """
import os, sys

def watch(event, arguments):
    calls = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
    if event in calls:
        with open(os.environ["CALLS"], "a") as file:
            file.write(f"{event} {arguments[1:] if event == 'socket.connect' else arguments}\\n")
        raise OSError("watched")

sys.addaudithook(watch)
"""
SEVERAL = """
import sys
from bertft.cli.app import main
codes = []
for line in sys.stdin.read().splitlines():
    sys.argv = ["bertft", *line.split("\\t")]
    try:
        main()
    except SystemExit as end:
        codes.append(end.code or 0)
    else:
        codes.append(0)
print("codes", *codes)
"""

FROM_PYTHON = """
import datasets, huggingface_hub  # they read the environment now, and no more
import bertft
try:
    bertft.train("sentiment", train="hub:some/thing", offline=True)
except bertft.errors.BertftError as error:
    print(type(error).__name__)
"""


def watched(folder: Path, script: str, *, lines: list[list[str]]) -> tuple[str, str]:
    """What a process printed last, and what it called. The network is not switched off for it."""
    (folder / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    calls = folder / "calls"
    calls.write_text("", encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if "OFFLINE" not in key}
    environment = {**kept, "PYTHONPATH": str(folder), "CALLS": str(calls), "HF_HOME": str(folder)}
    text = "\n".join("\t".join(line) for line in lines)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1], calls.read_text(encoding="utf-8")


def test_the_watch_sees_a_call(tmp_path: Path) -> None:
    script = "import socket\ntry: socket.getaddrinfo('a.b', 1)\nexcept OSError as e: print(e)"
    assert watched(tmp_path, script, lines=[]) == (
        "watched",
        "socket.getaddrinfo ('a.b', 1, 0, 0, 0)\n",
    )


def test_local_work_calls_nobody(tiny, reviews, tmp_path):
    data = [word for name, path in reviews.items() for word in (f"--{name}", str(path))]
    settings = set_flags(*FAST, "training.epochs=1")
    lines = [
        ["train", "sentiment", "--model", str(tiny), *data, *settings, "--out", "run"],
        ["eval", "run"],
        ["predict", str(reviews["test"]), "--run", "run", "--out", "a.jsonl"],
    ]
    assert watched(tmp_path, SEVERAL, lines=lines) == ("codes 0 0 0", "")


def test_offline_not_even_the_hub_is_called(reviews, tmp_path):
    lines = [
        ["train", "sentiment", "--train", "hub:some/thing", "--offline"],
        ["train", "sentiment", "--train", str(reviews["train"]), "--model", "a/b", "--offline"],
    ]
    assert watched(tmp_path, SEVERAL, lines=lines) == ("codes 2 2", "")


def test_offline_from_python_calls_nobody_either(tmp_path):
    assert watched(tmp_path, FROM_PYTHON, lines=[]) == ("DataError", "")
