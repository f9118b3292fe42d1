"""Feeds files that are as they should be through all verbs: a maker and a seed in, a Tally out.

    python tests/hostile/valid_fuzzing.py --inputs 50 [--only nli]      a Markdown table

Each input goes through train --dry-run, check, a short training, eval and predict, by the command
line. Whatever ends with a traceback, refuses such a file, or loses a row is a fault: rows in are
rows answered and rows with an error in their place, in order.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gc
import io
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from unittest import mock

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from valid_files import Sample
from valid_tasks import MAKERS

Made = Callable[[Random, Path], Sample]

QUICK = (
    "training.device=cpu", "training.precision=fp32", "training.epochs=1", "training.batch_size=8",
    "model.max_length=48", "model.decomposed_hangul=true", "training.metric=",
)  # fmt: skip


@dataclass
class Tally:
    """What became of the inputs of a maker."""

    name: str
    inputs: int = 0
    commands: int = 0
    rows: int = 0
    crashes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return self.crashes + self.refused + self.lost


def fuzz_valid(name: str, make: Made, tiny: Path, folder: Path, *, inputs: int, seed: int) -> Tally:
    """So many inputs of a maker, one after another, in ``folder``."""
    tally = Tally(name)
    for number in range(inputs):
        place = folder / str(number)
        place.mkdir()
        random = Random(f"{seed} {name} {number}")
        sample = make(random, place)
        told = f"input {number} ({sample.told})"
        _Input(tally, sample, told, tiny, place, random).go_through()
        shutil.rmtree(place)
        tally.inputs += 1
    return tally


class _Input:
    """One Sample on its way through the verbs; what is amiss goes to the Tally."""

    def __init__(
        self, tally: Tally, sample: Sample, told: str, tiny: Path, place: Path, random: Random
    ) -> None:
        self._tally, self._sample, self._told, self._random = tally, sample, told, random
        self._run = place / "run"
        settings = [*QUICK, *sample.settings, *sample.reading]
        if sample.recipe != "pretrain" and random.random() < 0.15:
            settings.append("training.mode=features")
        self._sets = [word for one in settings for word in ("--set", one)]
        self._reading = [word for one in sample.reading for word in ("--set", one)]
        files = ["--train", str(sample.train), "--model", str(tiny)]
        files += ["--dev", str(sample.dev)] * (random.random() < 0.8)  # else it is held out
        self._given = [sample.recipe, *files, *self._sets]

    def go_through(self) -> None:
        sample = self._sample
        if self._call("check", *self._given, "--json", codes=(0,), see=self._see_check) is None:
            return
        if self._call("train", *self._given, "--dry-run") is None:
            return
        if self._call("train", *self._given, "--out", str(self._run)) is None:
            return
        self._call("eval", str(self._run), "--data", str(sample.dev), "--json", *self._reading,
                   see=self._see_scores)  # fmt: skip
        if sample.texts:
            kind = self._random.choice(["csv", "tsv"])
            others = ["jsonl", "txt"] + ["html", "conll", "doccano"] * (sample.recipe == "ner")
            self._call("predict", str(sample.ask), "--run", str(self._run), *self._reading,
                       see=self._see_answers)  # fmt: skip
            self._call("predict", str(sample.ask), "--run", str(self._run), *self._reading,
                       "--format", kind, see=partial(self._see_table, kind))  # fmt: skip
            self._call("predict", str(sample.ask), str(sample.ask), "--run", str(self._run),
                       *self._reading, "--format", self._random.choice(others))  # fmt: skip

    def _call(
        self,
        *arguments: str,
        codes: tuple[int, ...] = (0,),
        see: Callable[[str], str] | None = None,
    ) -> str | None:
        """What a command prints; None where it does not end as it should."""
        self._tally.commands += 1
        try:
            code, out, err = command(*arguments)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "/bertft/" in frame.filename] or frames
            where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
            self._tally.crashes.append(f"{self._told}: {arguments[0]}: {error!r} at {where}")
            return None
        last = (err.strip().splitlines() or [""])[-1]
        if code not in codes:
            kind = self._tally.crashes if code == 1 else self._tally.refused
            shown = _errors(out) or last
            kind.append(f"{self._told}: {arguments[0]} ends with {code}: {shown}")
            return None
        if see and (fault := see(out)):
            self._tally.lost.append(f"{self._told}: {arguments[0]}: {fault}")
        return out

    def _see_check(self, out: str) -> str:
        splits = json.loads(out)["splits"]
        rows = self._sample.rows
        wrong = [name for name in splits if rows and splits[name]["rows"] != rows[name]]
        return f"{wrong[0]} has {splits[wrong[0]]['rows']} rows" if wrong else ""

    def _see_scores(self, out: str) -> str:
        found, rows = json.loads(out)["n"], self._sample.rows
        return f"{found} rows were scored" if rows and found != rows["dev"] else ""

    def _see_table(self, kind: str, out: str) -> str:
        rows = csv.DictReader(
            io.StringIO(out, newline=""), delimiter="," if kind == "csv" else "\t"
        )
        failed = [bool(row["error"]) for row in rows]
        expected = [text is None for text in self._sample.texts]
        return "" if failed == expected else f"{kind}: {failed} are errors, not {expected}"

    def _see_answers(self, out: str) -> str:
        answers = [json.loads(line) for line in out.splitlines()]
        expected = self._sample.texts
        self._tally.rows += len(expected)
        if len(answers) != len(expected):
            return f"{len(expected)} rows, {len(answers)} answers"
        if len({one["id"] for one in answers}) < len(answers):
            return f"ids repeat: {[one['id'] for one in answers]}"
        for text, answer in zip(expected, answers, strict=True):
            if (text is None) != ("error" in answer):
                return f"{text!r} gives {answer}"
            given = answer.get("text", answer.get("premise"))
            if text is not None and given is not None and given != text:
                return f"{text!r} was read as {given!r}"
        return ""


def _errors(out: str) -> str:
    """The errors among the findings that check --json prints; "" for another output."""
    try:
        findings = json.loads(out)["findings"]
    except (ValueError, KeyError, TypeError):
        return ""
    return "; ".join(f"{one['code']}: {one['places'][:1]}" for one in findings
                     if one["severity"] == "error")  # fmt: skip


def command(*arguments: str) -> tuple[int, str, str]:
    """The command line, in this process: (exit code, stdout, stderr)."""
    from bertft.cli.app import main as run

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch("sys.argv", ["bertft", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            gc.unfreeze()  # a command has a process of its own, this one goes on
    return code, out.getvalue(), err.getvalue()


# --- the script -------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description="Feed valid files to every verb.")
    parser.add_argument("--inputs", type=int, default=50, help="for each kind of file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--odd", type=int, default=500, help="odd files, for what follows reading")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    given = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    from after_reading import TASKS, follow
    from conftest import make_tiny

    from bertft.encoder.load import load_tokenizer

    print("| files | inputs | commands | rows to answer | crashes | refused | rows lost |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        tiny = make_tiny(Path(folder) / "tiny", positions=64)
        for name, make in MAKERS.items():
            if given.only not in name:
                continue
            place = Path(folder) / name
            place.mkdir()
            one = fuzz_valid(name, make, tiny, place, inputs=given.inputs, seed=given.seed)
            kinds = " | ".join(str(len(kind)) for kind in (one.crashes, one.refused, one.lost))
            print(f"| {name} | {one.inputs} | {one.commands} | {one.rows} | {kinds} |", flush=True)
            faults += [f"{name}: {fault}" for fault in one.faults]
        print("\n| odd files | inputs | faults |\n|---|---:|---:|")
        tokenizer = load_tokenizer(tiny)
        for name in TASKS:
            found = [follow(name, tokenizer, Path(folder), seed=one) for one in range(given.odd)]
            found = [f"odd {name}: {fault}" for fault in found if fault]
            print(f"| {name} | {given.odd} | {len(found)} |", flush=True)
            faults += found
    print(f"\n{len(faults)} faults\n" + "\n".join(faults))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
