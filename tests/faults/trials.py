"""Trainings of the tiny encoder, begun, resumed and compared with one that nothing disturbed."""

from __future__ import annotations

import importlib
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.processes import Ended, dying_at, run_command
from samples import FAST, set_flags, write_reviews
from stopping import SETTINGS, outcome

ATTEMPTS = 5


@dataclass
class Row:
    """One line of the table; ``told``: exit code and message were right."""

    fault: str
    tried: int = 0
    lost: int = 0
    equal: int = 0
    told: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.tried > 0 == self.lost and self.tried == self.equal == self.told


class Trials:
    """A folder with data, the tiny encoder and the outcome of an undisturbed run."""

    def __init__(self, folder: Path, *, seed: int, overrides: Sequence[str] = ()) -> None:
        from conftest import make_tiny

        self.folder = folder
        self.random = random.Random(seed)
        self.rows: list[Row] = []
        self.trial = folder / "trial"
        self.run = self.trial / "run"
        self.log = folder / "log"
        tiny = make_tiny(folder / "tiny", positions=64)
        files = [f"--{name}={path}" for name, path in write_reviews(folder).items()]
        settings = set_flags(*FAST, *SETTINGS, "training.save_every=3", *overrides)
        self.start = ["train", "sentiment", f"--model={tiny}", *files, *settings]
        self._import_everything()
        self.whole, self.seconds = self._undisturbed()
        self.calls = self._count_calls()
        self.largest = max(p.stat().st_size for p in self.run.rglob("*") if p.is_file())

    def _import_everything(self) -> None:
        """Train once in this process: what it imports late costs seconds, which children save."""
        for name in ("bertft.cli.app", "bertft.console.console"):
            importlib.import_module(name)
        from bertft.commands.train import train
        from bertft.jobs.request import TrainRequest

        paths = {name: str(self.folder / f"{name}.csv") for name in ("train", "dev", "test")}
        request = TrainRequest(
            recipe="sentiment",
            overrides=(*FAST, "training.epochs=1"),
            model=str(self.folder / "tiny"),
            out=str(self.folder / "warm"),
            **paths,
        )
        train(request)

    def _undisturbed(self) -> tuple[dict[str, Any], float]:
        self.clear()
        started = time.perf_counter()
        assert self.begin().code == 0, self.log.read_text(encoding="utf-8")
        return self.result(), time.perf_counter() - started

    def _count_calls(self) -> int:
        self.clear()
        count = self.folder / "count"
        self.begin(before=dying_at(0, self.trial, count=count))
        return int(count.read_text())

    def data(self, split: str) -> Path:
        """The file of a split; trials may do with it what they like."""
        return self.folder / f"{split}.csv"

    def clear(self) -> None:
        shutil.rmtree(self.trial, ignore_errors=True)
        self.trial.mkdir(exist_ok=True)

    def begin(self, **faults: Any) -> Ended:
        return run_command(*self.start, f"--out={self.run}", log=self.log, **faults)

    def go_on(self, **faults: Any) -> Ended:
        """Resume; where the run was stopped before there was a run directory, begin again."""
        if not self.run.exists():
            return self.begin(**faults)
        return run_command("train", f"--resume={self.run}", log=self.log, **faults)

    def result(self) -> dict[str, Any]:
        best = {path.name: path.read_bytes() for path in (self.run / "best").iterdir()}
        content = (self.run / "scores.json").read_bytes()
        folders = sorted(path.name for path in self.run.iterdir())
        return {**outcome(self.run), "best": best, "content": content, "folders": folders}

    def finish(self, row: Row, ended: Ended, *, what: str, told: bool = True) -> None:
        """Go on until the run is finished; note in the row how it came out."""
        row.tried += 1
        row.told += told
        if not told:
            row.remarks.append(f"{what}: exit {ended.code}: {ended.last_line}")
        for _ in range(ATTEMPTS):
            if (self.run / "scores.json").exists():
                break
            ended = self.go_on()
        else:
            row.lost += 1
            row.remarks.append(f"{what}: lost: exit {ended.code}: {ended.last_line}")
            return
        found = self.result()
        other = [name for name in self.whole if found[name] != self.whole[name]]
        row.equal += not other
        if other:
            row.remarks.append(f"{what}: {', '.join(other)} differ")

    def row(self, fault: str) -> Row:
        self.rows.append(Row(fault))
        return self.rows[-1]

    def steps_done(self) -> int:
        """Steps in the journal of the run."""
        journal = self.run / "journal.jsonl"
        return journal.read_bytes().count(b'"event": "step"') if journal.exists() else 0
