"""Feeds broken files to the readers: a Reader and a seed in, a Tally out.

    python tests/hostile/fuzzing.py --inputs 2000 [--only CSV]      a Markdown table

Whatever a file holds, a reader returns or raises BertftError with one line that can be printed,
within SECONDS. Everything else is a crash; its input is kept. The script gives each reader a
process of its own, so that a library that dies takes only its own row with it.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from mutation import mutate, random_parquet
from readers import Reader, readers

from bertft.errors import BertftError

SECONDS = 20
"""Of computing, which does not depend on what else a machine does."""
LONGEST = 2_000
"""Characters of an error's line."""
GIGABYTE = 2**30


@dataclass
class Tally:
    """What became of a reader's inputs; ``peak`` is in MiB above what the process began with."""

    reader: str
    refused: int = 0
    accepted: int = 0
    crashes: list[str] = field(default_factory=list)
    slowest: float = 0.0
    peak: int = 0

    @property
    def inputs(self) -> int:
        return self.refused + self.accepted + len(self.crashes)


class TooSlow(BaseException):
    """No reader may catch this one."""


def fuzz(
    reader: Reader, folder: Path, *, inputs: int, seed: int, keep: Path | None = None
) -> Tally:
    """Break the reader's file in ``folder`` so many times."""
    random = Random(f"{seed} {reader.name}")
    tally = Tally(reader.name)
    before = _peak()
    for number in range(inputs):
        made = random.random() < 0.3 and reader.file.endswith(".parquet")
        data = random_parquet(random) if made else mutate(random.choice(reader.samples), random)
        (folder / reader.file).write_bytes(data)
        fault = _feed(reader, folder, tally)
        if fault:
            tally.crashes.append(f"input {number}: {fault}")
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{reader.name.replace(' ', '-')}-{number}").write_bytes(data)
    (folder / reader.file).write_bytes(reader.samples[0])
    tally.peak = _peak() - before
    return tally


def _feed(reader: Reader, folder: Path, tally: Tally) -> str:
    """Count one input; why it is a crash, "" when it is none."""
    start = time.process_time()
    try:
        with _limit():
            reader.read(folder)
        tally.accepted += 1
    except BertftError as error:
        if fault := _unfit(str(error)):
            return fault
        tally.refused += 1
    except (Exception, TooSlow) as error:
        return f"{type(error).__name__}: {str(error)[:150]!r} at {_place(error)}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {str(error)[:150]!r} at {_place(error)}"
    tally.slowest = max(tally.slowest, time.process_time() - start)
    return ""


def _unfit(line: str) -> str:
    if "\n" in line or "\r" in line:
        return f"an error of several lines: {line[:150]!r}"
    if len(line) > LONGEST:
        return f"an error of {len(line)} characters: {line[:150]!r}"
    return "" if line else "an error without a word"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/bertft/" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


@contextmanager
def _limit() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooSlow(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak() -> int:
    """The most memory that this process has had so far, in MiB."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // scale


def lay_out(folder: Path, run: Path) -> Path:
    """The folder that readers read in: a run under ``runs/``, and reviews to train on."""
    shutil.copytree(run, folder / "runs" / "run")
    shutil.copy(run.parent / "train.csv", folder / "train.csv")
    (folder / "run").symlink_to("runs/run")
    return folder


# --- the script -------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description="Feed broken files to every reader.")
    parser.add_argument("--inputs", type=int, default=2000, help="for each reader of plain files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="readers whose name has this in it")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-crashes"))
    given = parser.parse_args()
    print("| reader | inputs | refused | accepted | crashes | slowest | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = _train(Path(folder))
        chosen = [one for one in readers(run) if given.only in one.name]
        tallies = [_in_process(one, run, given) for one in chosen]
    total = sum(one.inputs for one in tallies)
    faults = [f"{one.reader}: {fault}" for one in tallies for fault in one.crashes]
    print(f"\n{total:,} inputs, {len(faults)} crashes\n" + "\n".join(faults))
    sys.exit(1 if faults else 0)


def _in_process(reader: Reader, run: Path, given: argparse.Namespace) -> Tally:
    """A row of the table, from a process of its own."""
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_one, args=(reader, run, given, sender))
    process.start()
    sender.close()
    try:
        tally: Tally = receiver.recv()
    except EOFError:
        process.join()
        tally = Tally(reader.name, crashes=[f"the process died ({process.exitcode})"])
    process.join()
    counts = f"{tally.inputs:,} | {tally.refused:,} | {tally.accepted:,} | {len(tally.crashes)}"
    print(f"| {reader.name} | {counts} | {tally.slowest:.2f} s | +{tally.peak} MiB |", flush=True)
    return tally


def _one(reader: Reader, run: Path, given: argparse.Namespace, sender: Any) -> None:
    """No more than 8 GiB, so that a reader cannot take the machine along."""
    resource.setrlimit(resource.RLIMIT_DATA, (8 * GIGABYTE, 8 * GIGABYTE))
    with tempfile.TemporaryDirectory() as folder:
        place = lay_out(Path(folder), run)
        inputs = max(1, given.inputs // reader.cost)
        with Path(os.devnull).open("w") as nothing, contextlib.redirect_stderr(nothing):
            tally = fuzz(reader, place, inputs=inputs, seed=given.seed, keep=given.keep)
    sender.send(tally)


def _train(folder: Path) -> Path:
    """A finished run of the tiny model, as tests/conftest.py makes it."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    from conftest import make_tiny, train_tiny

    return train_tiny(folder, make_tiny(folder / "tiny", positions=64))


if __name__ == "__main__":
    main()
