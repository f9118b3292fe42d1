"""Single faults with what has to be said of them: exit code, one line, and whether the run goes on.

Each Situation meets its fault in a real process of Trials; its ``check`` says what is wrong.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults.disks import can_mount, mounted, read_only
from faults.processes import Ended, killing_after, run_command
from samples import set_flags, write_csv

if TYPE_CHECKING:
    from faults.trials import Trials

WAIT = 60.0
GOES_ON = r"; mend that, then go on with: bertft train --resume \S+/run$"


@dataclass(frozen=True)
class Situation:
    """A fault: ``meet`` brings it about; the last line must match ``line``."""

    name: str
    meet: Callable[[Trials], Ended]
    code: int
    line: str
    goes_on: bool = True


def _when(trials: Trials, steps: int, act: Callable[[], Any]) -> Callable[[int], None]:
    """Acts in the parent once the journal has so many steps; the child waits meanwhile."""

    def meanwhile(child: int) -> None:
        deadline = time.monotonic() + WAIT
        while trials.steps_done() < steps and time.monotonic() < deadline:
            time.sleep(0.001)
        act()

    return meanwhile


def _slow() -> None:
    """Lets a child rest after each step, so that it does not finish before its fault."""
    from bertft.console.console import Console

    shown = Console.step

    def step(self: Console, report: Any) -> None:
        shown(self, report)
        time.sleep(0.05)

    Console.step = step  # type: ignore[method-assign]


def _disturbed(act: Callable[[Trials], Any]) -> Callable[[Trials], Ended]:
    def meet(trials: Trials) -> Ended:
        return trials.begin(before=_slow, meanwhile=_when(trials, 5, lambda: act(trials)))

    return meet


def _no_run(trials: Trials) -> None:
    shutil.rmtree(trials.run)


def _no_journal(trials: Trials) -> None:
    (trials.run / "journal.jsonl").unlink()


def _no_checkpoints(trials: Trials) -> None:
    for folder in trials.run.glob("last*"):
        shutil.rmtree(folder, ignore_errors=True)


def _no_data(trials: Trials) -> None:
    trials.data("train").unlink()


def _data_go_while_read(trials: Trials) -> Ended:
    """The training file is removed when the test file is opened."""
    train, test = trials.data("train"), trials.data("test")

    def watch_opens() -> None:
        def hook(event: str, details: tuple[Any, ...]) -> None:
            if event == "open" and str(details[0]) == str(test) and train.exists():
                train.unlink()

        sys.addaudithook(hook)

    return trials.begin(before=watch_opens)


def _no_number(trials: Trials) -> Ended:
    """Weights so large that the loss is no number any more."""
    flags = set_flags("training.learning_rate=1e30", "training.warmup=0.3")
    return run_command(*trials.start, *flags, f"--out={trials.run}", log=trials.log)


def _no_memory(trials: Trials) -> Ended:
    """A batch that does not fit into the memory that the process may have."""
    rows = [("the film was good and fun " * 6, "good"), ("a bad slow plot " * 8, "bad")]
    large = write_csv(trials.trial / "large.csv", rows * 1000)
    flags = set_flags("training.batch_size=2000", "model.max_length=64")

    def limit() -> None:
        with Path("/proc/self/statm").open() as file:
            pages = int(file.read().split()[0])
        room = pages * os.sysconf("SC_PAGE_SIZE") + 300 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (room, room))

    arguments = [*trials.start, *flags, f"--train={large}", f"--out={trials.run}"]
    return run_command(*arguments, log=trials.log, before=limit)


def _twice_at_once(trials: Trials) -> Ended:
    second: list[Ended] = []

    def resume() -> None:
        log = trials.folder / "second"
        second.append(run_command("train", f"--resume={trials.run}", log=log))

    trials.begin(before=_slow, meanwhile=_when(trials, 3, resume))
    return second[0]


def _read_only(trials: Trials) -> Ended:
    with mounted(trials.trial, 64 * 2**20):
        trials.begin(before=_slow, meanwhile=_when(trials, 6, lambda: None))
        shutil.rmtree(trials.run)
        trials.begin(before=_slow, meanwhile=_killed_at(trials, 6))
        with read_only(trials.trial):
            ended = trials.go_on()
        shutil.copytree(trials.run, trials.folder / "copy")
    shutil.move(trials.folder / "copy", trials.run)
    return ended


def _killed_at(trials: Trials, steps: int) -> Callable[[int], None]:
    def kill(child: int) -> None:
        _when(trials, steps, lambda: None)(child)
        killing_after(0.0)(child)

    return kill


SITUATIONS = [
    Situation(
        "the run directory is removed while it is trained",
        _disturbed(_no_run),
        2,
        r"no such file or directory; \S+/run has no checkpoint any more; train anew$",
        goes_on=False,
    ),
    Situation(
        "the journal is removed while the run is trained",
        _disturbed(_no_journal),
        2,
        r"journal\.jsonl: no such file or directory; the last good checkpoint is that of step \d+, "
        r"\S+/run/last" + GOES_ON,
        goes_on=False,
    ),
    Situation("all checkpoints are removed meanwhile", _disturbed(_no_checkpoints), 0, ""),
    Situation("the training data are removed meanwhile", _disturbed(_no_data), 0, ""),
    Situation(
        "the training data are removed while they are read",
        _data_go_while_read,
        2,
        r"train\.csv: no such file",
    ),
    Situation(
        "the loss is no number",
        _no_number,
        2,
        r"the (loss|gradient) is (nan|inf) at step \d+ \(examples [\d, ]+\); the last good "
        r"checkpoint is that of step \d+, \S+/run/last; lower training\.learning_rate",
        goes_on=False,
    ),
    Situation(
        "memory is used up",
        _no_memory,
        2,
        r"memory is used up.*; lower training\.batch_size and raise training\.gradient_accumulation"
        r" .*model\.max_length, or set training\.gradient_checkpointing=true$",
        goes_on=False,
    ),
    Situation(
        "a second process trains the same run",
        _twice_at_once,
        2,
        r"/run is being trained by another process; let it end, or stop it first$",
    ),
]
READ_ONLY = Situation(
    "the disk is read-only", _read_only, 2, r"read-only file system; .*make it writable, then go on"
)


def situations(folder: Path) -> list[Situation]:
    """All that this machine can bring about."""
    limited = sys.platform == "linux"
    found = [one for one in SITUATIONS if limited or one.meet is not _no_memory]
    return [*found, READ_ONLY] if can_mount(folder) else found


def fault_of(situation: Situation, ended: Ended) -> str:
    """What is wrong with how a command ended; "" when all is as it has to be."""
    if ended.code != situation.code:
        return f"exit code {ended.code}, not {situation.code}"
    errors = [line for line in ended.said.splitlines() if line.startswith("error: ")]
    if "Traceback" in ended.said or len(errors) != bool(situation.code):
        return "not one line"
    return "" if re.search(situation.line, ended.last_line) else "another line"
