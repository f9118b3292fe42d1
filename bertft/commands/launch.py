"""launch: writes the script that starts a training or a prediction on many machines.

In: a command of bertft, and how many machines there are. Out: the script, and what it was checked
by. Nothing is started.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertft.errors import BertftError, RunError
from bertft.jobs.scripts import VERBS, Launch, script_of
from bertft.recipe import load_recipe
from bertft.runs.folder import find_run

CHECKERS = {"bash": ("-n",), "shellcheck": ("-",)}
"""What reads a shell script on stdin, where it is installed."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script, and the programs that found nothing wrong with it."""

    text: str
    checked: tuple[str, ...]


def check_verb(verb: str) -> None:
    """Raise BertftError for a verb that runs on one machine."""
    if verb not in VERBS:
        hint = "bertft launch --print slurm train ..., or ... predict FILE --out FOLDER/"
        raise BertftError(f"launch writes scripts for train and predict, not for {verb}", hint=hint)


def check_inputs(verb: str, given: Mapping[str, Any]) -> str:
    """What is to be said of a command's options, by their names; "" where that is nothing.

    Raises:
        RecipeError: train has no such recipe, or a setting of it is wrong.
    """
    if verb == "train":
        load_recipe(given["recipe"], overrides=given["set_"] or ())
        return ""
    if not given["run"]:
        return "no --run: each machine takes the newest run that it finds; name one"
    for name in given["run"]:
        try:
            find_run(name)
        except RunError:
            return f"no run '{name}' here: the machines need it when they start"
    return ""


def launch(kind: str, what: Launch, *, out: str, shard: str) -> Script:
    """The script of a kind for ``what``, whose --out and --shard are told beside it.

    Raises:
        BertftError: a prediction that does not go into a folder, or has its shard already.
    """
    if what.verb == "predict":
        if shard:
            hint = "leave --shard out: each process is given its own"
            raise BertftError("--shard is what the script adds", hint=hint)
        if not out.endswith("/") and not Path(out or "-").is_dir():
            hint = "many machines write into one folder: --out answers/"
            raise BertftError("predict needs --out FOLDER/", hint=hint)
    text = script_of(kind, what)
    return Script(text, _checked_by(text, is_python=kind == "ray"))


def _checked_by(text: str, *, is_python: bool) -> tuple[str, ...]:
    """What has read the script; one that cannot be read is a fault of ours."""
    if is_python:
        compile(text, "script", "exec")
        return ("Python's compiler",)
    found = []
    for name, flags in CHECKERS.items():
        if program := shutil.which(name):
            done = subprocess.run(
                [program, *flags], input=text, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")
            found.append(" ".join((name, *flags)).removesuffix(" -"))
    return tuple(found)
