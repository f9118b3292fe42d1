"""Features mode beside fine-tuning: the same rows and encoder, score with interval, seconds.

    python benchmarks/features.py RECIPE [--train F --dev F --test F --model M] [--rows N]
        [--set KEY=VALUE ...] [--seeds K] [--threads N] [--out DIR]

Each line of the table is a ``bertft train`` of its own: fine-tuning as the recipe says, features
from the mean of all tokens and from the first one, and the mean again, when its states are in the
cache. Seconds are those of the whole command (start, encoding, evaluations, final scores) and of
its optimizer steps. ``--rows`` takes the first N rows of --train, a CSV or TSV with a header, after
shuffling them; ``--set`` goes to every line but its own settings. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FEATURES = ("training.mode=features",)
LINES = {
    "fine-tune": (),
    "features, mean of all tokens": FEATURES,
    "the same, from the cache": FEATURES,
    "features, first token": (*FEATURES, "model.pooling=first"),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    for name in ("train", "dev", "test", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--rows", type=int, default=0, help="of --train, drawn at random")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each line: seeds 0, 1, ...")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep the runs here")
    return parser.parse_args()


def drawn_rows(path: Path, *, count: int, folder: Path) -> Path:
    """A file of ``count`` random rows under the header of another."""
    drawn = folder / f"{count}-{path.name}"
    with path.open(encoding="utf-8", newline="") as file:
        is_csv = path.suffix == ".csv"
        header, *rows = (
            list(csv.reader(file)) if is_csv else [[one] for one in file.read().splitlines()]
        )
    random.Random(0).shuffle(rows)
    with drawn.open("w", encoding="utf-8", newline="") as file:
        if is_csv:
            csv.writer(file).writerows([header, *rows[:count]])
        else:
            file.writelines(f"{line}\n" for (line,) in [header, *rows[:count]])
    return drawn


def train(options: argparse.Namespace, settings: tuple[str, ...], *, seed: int, run: Path) -> float:
    """Train in a process of its own; the seconds that it took."""
    command = [sys.executable, "-m", "bertft", "train", options.recipe, "--out", str(run)]
    command += ["--seed", str(seed), "--offline"]
    for name in ("train", "dev", "test", "model"):
        if value := getattr(options, name):
            command += [f"--{name}", str(value)]
    for setting in (*options.set, *settings):
        command += ["--set", setting]
    started = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def outcome(run: Path) -> dict[str, Any]:
    """Score, interval and seconds of the optimizer steps of a finished run."""
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    events = map(json.loads, (run / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    steps = sum(one.get("step_seconds", 0.0) for one in events)
    return {"metric": scores["metric"], "steps": steps, **scores["metrics"][scores["metric"]]}


def measure(options: argparse.Namespace, folder: Path) -> None:
    if options.rows:
        options.train = drawn_rows(Path(options.train), count=options.rows, folder=folder)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    runs = options.out or folder / "runs"
    print("| mode | score | 95 % interval | seconds | of these, steps |\n|---|---|---|---|---|")
    for number, (name, settings) in enumerate(LINES.items()):
        found, seconds = [], []
        for seed in range(options.seeds):
            # A seed's first run in features mode finds an empty cache, whatever was run before.
            os.environ["BERTFT_CACHE"] = str(folder / f"cache-{seed}")
            run = runs / f"{number}-{settings[0].split('=')[1] if settings else name}-seed-{seed}"
            seconds.append(train(options, settings, seed=seed, run=run))
            found.append(outcome(run))
        print(line(name, found, seconds), flush=True)


def line(name: str, found: list[dict[str, Any]], seconds: list[float]) -> str:
    """One row of the table; of several seeds the mean and deviation, and the first's interval."""
    values = [one["value"] for one in found]
    score = f"{found[0]['metric']} {statistics.fmean(values):.4f}"
    if len(values) > 1:
        score += f" ± {statistics.stdev(values):.4f}"
    interval = f"{found[0]['low']:.3f} - {found[0]['high']:.3f}" if "low" in found[0] else "-"
    steps = statistics.fmean(one["steps"] for one in found)
    return f"| {name} | {score} | {interval} | {statistics.fmean(seconds):.0f} | {steps:.0f} |"


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
