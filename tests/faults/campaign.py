"""Faults of every kind, each in a real process; afterwards the run goes on, and ends byte-equal.

    python tests/faults/campaign.py --kills 500        (make faults)
        [--only kill_at ...] [--set training.mode=lora ...]

Each trial trains the tiny random BERT (dropout on, gradients of two batches accumulated,
evaluations inside an epoch), meets one fault, is resumed until it is finished, and is compared with
an undisturbed run: SHA-256 of weights, moments, best/, scores and predictions, and the figures of
the journal. Prints a table, and ends with 1 where a run was lost, differed, or said the wrong
thing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Before torch: one thread, so that a child can be forked and sums come out alike.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.disks import can_mount, mounted
from faults.processes import Ended, dying_at, killing_after, limiting_files
from faults.situations import fault_of, situations
from faults.trials import Row, Trials
from samples import write_reviews

BERTFT = str(Path(sys.executable).parent / "bertft")


def kill_at_random_times(trials: Trials, count: int) -> None:
    row = trials.row("SIGKILL at a random time, twice")
    for number in range(count):
        trials.clear()
        delays = [trials.random.uniform(0, 1.1 * trials.seconds) for _ in range(2)]
        trials.begin(meanwhile=killing_after(delays[0]))
        if not (trials.run / "scores.json").exists():
            trials.go_on(meanwhile=killing_after(delays[1]))
        trials.finish(row, Ended(0, ""), what=f"kill {number} after {delays}")


def kill_at_calls(trials: Trials, count: int) -> None:
    row = trials.row("SIGKILL at the n-th open, write, fsync, rename, remove ...")
    for number in _spread(trials.calls, count):
        trials.clear()
        ended = trials.begin(before=dying_at(number, trials.trial))
        told = ended.code == -signal.SIGKILL
        trials.finish(row, ended, what=f"call {number}", told=told)


def kill_again_at_calls(trials: Trials, count: int) -> None:
    row = trials.row("the same in a run that was killed and resumed")
    for number in range(count):
        trials.clear()
        first = trials.random.randrange(1, trials.calls)
        trials.begin(before=dying_at(first, trials.trial))
        second = trials.random.randrange(1, trials.calls // 2)
        ended = trials.go_on(before=dying_at(second, trials.trial))
        trials.finish(row, ended, what=f"{number}: call {first}, then {second}")


def stop_by_signals(trials: Trials, count: int) -> None:
    row = trials.row("SIGTERM or SIGINT at a random time, once or twice")
    for number in range(count):
        trials.clear()
        chosen = (signal.SIGTERM, signal.SIGINT)[number % 2]
        delay = trials.random.uniform(0, trials.seconds)
        stop = killing_after(delay, chosen, times=1 + number // 2 % 2)
        ended = trials.begin(meanwhile=stop)
        told = ended.code in (0, 128 + chosen) and "Traceback" not in ended.said
        trials.finish(row, ended, what=f"{chosen.name} after {delay:.2f}", told=told)


def fill_the_disk(trials: Trials, count: int) -> None:
    if can_mount(trials.trial):
        row = trials.row("disk full (a small tmpfs)")
        for size in _between(20_000, 3 * _size(trials.run), count):
            trials.clear()
            with mounted(trials.trial, size) as make_room:
                ended = trials.begin()
                told = _told_of_space(trials, ended, "no space left on device")
                make_room()
                trials.finish(row, ended, what=f"{size} bytes", told=told)
    row = trials.row("a file that cannot grow (RLIMIT_FSIZE)")
    for size in _between(2_000, trials.largest, count):  # what is said fits into its file
        trials.clear()
        ended = trials.begin(before=limiting_files(size))
        told = _told_of_space(trials, ended, "file too large")
        trials.finish(row, ended, what=f"limit {size}", told=told)


def _told_of_space(trials: Trials, ended: Ended, reason: str) -> bool:
    """Exit code 2, the cause in one line, nothing half-written, the last checkpoint whole."""
    from bertft.training.checkpoint import open_checkpoint

    if ended.code == 0:
        return (trials.run / "scores.json").exists()
    if [path for path in trials.trial.rglob("*") if path.name.endswith(".partial")]:
        return False
    if trials.run.exists():
        open_checkpoint(trials.run / "last")
    one_line = "Traceback" not in ended.said and ended.last_line.startswith("error: ")
    return ended.code == 2 and one_line and reason in ended.last_line.lower()


def damage_checkpoints(trials: Trials, count: int) -> None:
    trials.clear()
    # One step after the first best weights: last-1/ holds the same ones as best/.
    trials.begin(before=_stopping_after(5))
    stopped = trials.folder / "stopped"
    shutil.copytree(trials.run, stopped)
    files = [path for name in ("last", "best") for path in sorted((stopped / name).iterdir())]
    for name, damage in (("a flipped bit", flip), ("cut short", cut), ("removed", remove)):
        row = trials.row(f"{name}: each file of last/ and best/")
        trials.random.shuffle(files)
        for number in range(count):
            _damage(trials, row, stopped, files[number % len(files)], damage)


def _damage(
    trials: Trials,
    row: Row,
    stopped: Path,
    path: Path,
    damage: Callable[[Path, random.Random], None],
) -> None:
    trials.clear()
    shutil.copytree(stopped, trials.run)
    damage(trials.run / path.relative_to(stopped), trials.random)
    ended = trials.go_on()
    said = "is used instead" in ended.said or "made again" in ended.said
    what = f"{path.parent.name}/{path.name}"
    trials.finish(row, ended, what=what, told=said and ended.code == 0)


def kill_the_installed_command(trials: Trials, count: int) -> None:
    row = trials.row("SIGKILL of the installed command")
    for number in range(count):
        trials.clear()
        _installed(trials, [*trials.start, f"--out={trials.run}"], steps=1 + 3 * number)
        ended = _installed(trials, ["train", f"--resume={trials.run}"], steps=99)
        trials.finish(row, ended, what=f"trial {number}", told=ended.code == 0)


def meet_situations(trials: Trials, count: int) -> None:
    for situation in situations(trials.trial):
        row = trials.row(situation.name)
        for _ in range(count):
            trials.clear()
            write_reviews(trials.folder)
            ended = situation.meet(trials)
            fault = fault_of(situation, ended)
            write_reviews(trials.folder)
            if not situation.goes_on:  # there is nothing to go on with: only what is said
                trials.clear()
                trials.begin()
            trials.finish(row, ended, what=fault, told=not fault)


def _installed(trials: Trials, arguments: Sequence[str], *, steps: int) -> Ended:
    """Run the command in the shell's way; kill it once the journal has so many steps."""
    with trials.log.open("w", encoding="utf-8") as log:
        child = subprocess.Popen([BERTFT, *arguments], stdout=log, stderr=log)
        while child.poll() is None and trials.steps_done() < steps:
            time.sleep(0.002)
        if child.poll() is None:
            child.kill()
        code = child.wait()
    return Ended(code, trials.log.read_text(encoding="utf-8"))


def flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def remove(path: Path, _chance: random.Random) -> None:
    path.unlink()


def _stopping_after(step: int) -> Callable[[], None]:
    """Sends the child SIGTERM after a step."""

    def install() -> None:
        from bertft.console.console import Console

        shown = Console.step

        def stop(self: Console, report: Any) -> None:
            shown(self, report)
            if report.step == step:
                os.kill(os.getpid(), signal.SIGTERM)

        Console.step = stop  # type: ignore[method-assign]

    return install


def _spread(total: int, count: int) -> list[int]:
    """At most ``count`` of the numbers 1..total, evenly spread, both ends included."""
    return sorted({1 + round(i * (total - 1) / max(1, count - 1)) for i in range(count)})


def _between(low: int, high: int, count: int) -> list[int]:
    return [round(low + i * (high - low) / max(1, count - 1)) for i in range(count)]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def campaign(
    kills: int, *, seed: int, only: Sequence[str] = ("",), overrides: Sequence[str] = ()
) -> Iterator[Row]:
    """Every fault; ``kills`` trials end by SIGKILL, the others are in proportion."""
    # Memory-backed where that exists: what a killed process wrote survives it on any file system.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bertft-faults-", dir=place) as folder:
        trials = Trials(Path(folder), seed=seed, overrides=overrides)
        share = max(1, kills // 10)
        for meet, count in (
            (kill_at_calls, 5 * share),
            (kill_at_random_times, 3 * share),
            (kill_again_at_calls, 2 * share),
            (stop_by_signals, share),
            (fill_the_disk, share),
            (damage_checkpoints, share),
            (meet_situations, 1),
            (kill_the_installed_command, min(4, share // 10)),
        ):
            before = len(trials.rows)
            if count and any(part in meet.__name__ for part in only):
                meet(trials, count)
            yield from trials.rows[before:]


def table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| fault | tried | lost runs | equal hashes | told rightly |"
    yield "|---|---|---|---|---|"
    for row in rows:
        yield f"| {row.fault} | {row.tried} | {row.lost} | {row.equal} | {row.told} |"
    for row in rows:
        yield from (f"{row.fault}: {remark}" for remark in row.remarks)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[""], help="parts of function names")
    parser.add_argument("--json", type=Path, help="write the rows here as well")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    asked = parser.parse_args()
    rows = []
    for row in campaign(asked.kills, seed=asked.seed, only=asked.only, overrides=asked.overrides):
        rows.append(row)
        seconds = time.process_time() + sum(os.times()[2:4])
        sys.stderr.write(f"{row.fault}: {row.tried} tried, {row.lost} lost, ")
        sys.stderr.write(f"{row.equal} equal, {row.told} told ({seconds:.0f} s of CPU so far)\n")
    sys.stdout.write("\n".join(table(rows)) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
