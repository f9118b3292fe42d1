"""How much is trained: all weights, the upper layers, LoRA adapters, a head on frozen states.

    python benchmarks/adapters.py RECIPE [--train F --dev F --test F --model M] [--rows N]
        [--layers K] [--set KEY=VALUE ...] [--seeds K] [--threads N]

Each cell is a ``bertft train`` of its own on the same rows, with an empty cache. CPU seconds and
peak memory are those of the whole process, start and final scores included; the checkpoint is
``last/``, from which a stopped run goes on. ``--rows`` takes the first N rows of --train, a CSV or
TSV with a header, after shuffling them. Prints a Markdown table, a line as soon as it is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from features import drawn_rows, outcome
from training import timed


@dataclass(frozen=True, slots=True)
class Found:
    """What a training came to; memory and checkpoint in MiB."""

    metric: str
    score: float
    trained: int
    seconds: float
    memory: float
    checkpoint: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    for name in ("train", "dev", "test", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--rows", type=int, default=0, help="of --train, drawn at random")
    parser.add_argument("--layers", type=int, default=3, help="that are frozen in the second line")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def measured(options: argparse.Namespace, *settings: str, seed: int, folder: Path) -> Found:
    """Train in a process of its own."""
    run = folder / "run"
    command = [sys.executable, "-m", "bertft", "train", options.recipe, "--out", str(run)]
    command += ["--seed", str(seed), "--offline"]
    for name in ("train", "dev", "test", "model"):
        if value := getattr(options, name):
            command += [f"--{name}", str(value)]
    for setting in (*options.set, *settings, "training.keep_state=true"):
        command += ["--set", setting]
    threads, cache = str(options.threads), str(folder / "cache")
    used = timed(command, environment={"OMP_NUM_THREADS": threads, "BERTFT_CACHE": cache})
    found = outcome(run)
    with (run / "journal.jsonl").open(encoding="utf-8") as file:
        trained = next(one["trainable"] for one in map(json.loads, file) if one["event"] == "plan")
    size = sum(path.stat().st_size for path in (run / "last").iterdir())
    seconds, memory = used["cpu_seconds"], used["memory_gib"] * 2**10
    return Found(found["metric"], found["value"], trained, seconds, memory, size / 2**20)


def line(name: str, found: list[Found]) -> str:
    scores = [one.score for one in found]
    spread = f" ± {statistics.stdev(scores):.3f}" if len(scores) > 1 else ""
    means = (
        f"{statistics.fmean(getattr(one, field) for one in found):,.0f}"
        for field in ("seconds", "memory", "checkpoint")
    )
    score = f"{found[0].metric} {statistics.fmean(scores):.3f}{spread}"
    return f"| {' | '.join([name, score, f'{found[0].trained:,}', *means])} |"


def main() -> None:
    options = arguments()
    lines = {
        "all weights": (),
        f"freeze = layers:{options.layers}": (f"training.freeze=layers:{options.layers}",),
        "LoRA": ("training.mode=lora",),
        "features": ("training.mode=features",),
    }
    with tempfile.TemporaryDirectory() as place:
        if options.rows:
            options.train = drawn_rows(Path(options.train), count=options.rows, folder=Path(place))
        print("| what learns | score | parameters | CPU s | peak MiB | checkpoint MiB |")
        print("|---|---|---|---|---|---|", flush=True)
        for name, settings in lines.items():
            found = []
            for seed in range(options.seeds):
                with tempfile.TemporaryDirectory(dir=place) as folder:
                    found.append(measured(options, *settings, seed=seed, folder=Path(folder)))
            print(line(name, found), flush=True)


if __name__ == "__main__":
    main()
