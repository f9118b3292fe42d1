"""Kills of a sharded prediction: does it come out as one that nothing disturbed?

    python benchmarks/kills.py RUN [--rows 200000] [--kills 100] [--shards 2] [--seed 0]

RUN is a run of one label for one text, or an export of one, which starts sooner. The rows are made
up. All shards of a prediction run at the same time, each in a process that is killed (SIGKILL) at a
random moment and started again, until the shard is done; then another prediction begins, until
there were so many kills. After each kill every part that is there is compared with that of a quiet
prediction, and at the end of each prediction the hash of all parts, and what lies beside them.
Prints JSON, and ends with 1 where anything differed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

TEXT = (
    "a an and bad bright but cheap cold dull early ending evening fine food friend good great it "
    "kind last late long lovely never nice no not of old plot quiet seat slow soup story the then "
    "this ticket too very waited warm was we with 영화 정말 좋다 너무 재미 없다"
)


@dataclass
class Found:
    """What the kills showed."""

    kills: int = 0
    before_any_part: int = 0
    while_writing: int = 0
    """Kills that left an unfinished file."""
    wrong_parts: int = 0
    """Kills after which a part was there that differs from the quiet one."""
    predictions: int = 0
    equal: int = 0
    """Predictions with the hash of the quiet one, all rows in the manifests, and nothing left."""
    faults: list[str] = field(default_factory=list)


class Predictions:
    """Predictions of one file, killed until ``kills`` are reached; ``longest`` seconds of a try."""

    def __init__(
        self, given: argparse.Namespace, folder: Path, *, kills: int, longest: float
    ) -> None:
        self.given, self.folder, self.kills, self.longest = given, folder, kills, longest
        self.quiet = folder / "quiet"
        self.found = Found()
        self._lock = threading.Lock()

    def predict(self, out: Path) -> None:
        """One prediction, all shards at the same time."""
        numbers = range(1, self.given.shards + 1)
        with ThreadPoolExecutor(self.given.shards) as pool:
            list(pool.map(lambda number: self.finish(out, number), numbers))
        equal = digest(out) == digest(self.quiet)
        counted = sum(rows_of(out)) == self.given.rows
        left = [one.name for one in out.iterdir() if one.name.startswith(".")]
        self.found.predictions += 1
        self.found.equal += equal and counted and not left
        if not equal or not counted or left:
            self.found.faults.append(f"{out.name}: equal {equal}, counted {counted}, left {left}")

    def finish(self, out: Path, number: int) -> None:
        """Start a shard until it is done."""
        chosen = random.Random(f"{self.given.seed} {out.name} {number}")
        said = None
        while said is None:
            process = start(self.given, self.folder, out, number)
            more = self.found.kills < self.kills
            try:
                limit = chosen.uniform(0, self.longest) if more else None
                said = process.communicate(timeout=limit)[1]
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.look(out, number)
        if process.returncode:
            self.found.faults.append(f"exit code {process.returncode}: {said[-300:]}")

    def look(self, out: Path, number: int) -> None:
        """What a kill has left of a shard."""
        ours = [one for one in out.glob("*part-*") if part_of(one, self.given.shards) == number]
        parts = [one for one in ours if not one.name.startswith(".")]
        wrong = [one for one in parts if one.read_bytes() != (self.quiet / one.name).read_bytes()]
        with self._lock:
            self.found.kills += 1
            self.found.before_any_part += not parts
            self.found.while_writing += len(ours) > len(parts)
            self.found.wrong_parts += bool(wrong)


def start(given: argparse.Namespace, folder: Path, out: Path, number: int) -> subprocess.Popen[str]:
    """A process that answers one shard."""
    flags = ["--run", str(given.run), "--out", f"{out}/", "--shard", f"{number}/{given.shards}"]
    return subprocess.Popen(
        [sys.executable, "-m", "bertft", "predict", str(folder / "rows.csv"), *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def part_of(file: Path, shards: int) -> int:
    """The shard to which the file of a part belongs."""
    return int(file.name.removeprefix(".").removeprefix("part-")[:5]) % shards + 1


def digest(out: Path) -> str:
    """SHA-256 of all parts with their names."""
    found = hashlib.sha256()
    for one in sorted(out.glob("part-*")):
        found.update(one.name.encode() + one.read_bytes())
    return found.hexdigest()


def rows_of(out: Path) -> list[int]:
    """Rows of each part, as the manifests have them; each part is in one of them."""
    manifests = [json.loads(one.read_text(encoding="utf-8")) for one in out.glob("_shard-*.json")]
    return [part["rows"] for one in manifests for part in one["parts"].values()]


def write_rows(path: Path, count: int, *, seed: int) -> None:
    chosen = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        for number in range(count):
            text = " ".join(chosen.choices(TEXT.split(), k=chosen.randint(1, 16)))
            file.write(f"r{number},{text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    for name, usual in (("rows", 200_000), ("kills", 100), ("shards", 2), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args()
    given.run = given.run.resolve()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bertft-kills-") as name:
        folder = Path(name)
        write_rows(folder / "rows.csv", given.rows, seed=given.seed)
        started = time.monotonic()
        Predictions(given, folder, kills=0, longest=0).predict(folder / "quiet")
        usual = time.monotonic() - started
        # A third of the time: a prediction is killed some times before it ends.
        killed = Predictions(given, folder, kills=given.kills, longest=usual / 3)
        while killed.found.kills < given.kills:
            killed.predict(folder / f"killed-{killed.found.predictions}")
    seconds = {"seconds_quiet": round(usual, 1), "seconds": round(time.monotonic() - began, 1)}
    given.run = str(given.run)
    print(json.dumps(vars(given) | seconds | asdict(killed.found), indent=2, ensure_ascii=False))
    return int(bool(killed.found.faults or killed.found.wrong_parts))


if __name__ == "__main__":
    sys.exit(main())
