"""A whole command, from the start of its process to its end: ``bertft train`` beside Trainer.

    python benchmarks/whole.py --train F --dev F [--rows N] [--test-rows N] [--threads N]
        [--rounds K] [--epochs E] [--batch B] [--rate R] [--model M]

Both read files of single sentences (``sentence`` and ``label``, as SST-2 has them), encode them,
train, choose the epoch by dev, keep the model and score the test rows. Trainer is ``quality.py
peer`` with its best flags, in both orders of its batches. The first ``--rows`` rows of --train are
trained on and the next ``--test-rows`` are the test set: what is asked here is time, and phrases of
SST-2 on both sides may be parts of one sentence. Contenders take turns; prints medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from training import RESULTS, timed, write

CONTENDERS = ("bertft", "trainer-best", "trainer-random")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--test-rows", type=int, default=3_000)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args()


def command_of(name: str, options: argparse.Namespace, *, folder: Path, seed: int) -> list[str]:
    """What is timed, for the files ``train`` and ``test`` in the folder."""
    files = ["--train", str(folder / "train.tsv"), "--dev", str(options.dev)]
    files += ["--test", str(folder / "test.tsv"), "--model", options.model, "--seed", str(seed)]
    if name == "bertft":
        settings = {
            "epochs": options.epochs,
            "batch_size": options.batch,
            "learning_rate": options.rate,
            "layer_decay": 1.0,  # Trainer has one rate for all layers
        }
        run = ["--out", str(folder / "run"), "--offline"]
        own = [
            word for key, value in settings.items() for word in ("--set", f"training.{key}={value}")
        ]
        return [sys.executable, "-m", "bertft", "train", "sst2", *files, *run, *own]
    script = str(Path(__file__).with_name("quality.py"))
    flags = {
        "--order": {"trainer-best": "grouped", "trainer-random": "random"}[name],
        "--epochs": options.epochs,
        "--batch": options.batch,
        "--lr": options.rate,
        "--threads": options.threads,
        "--save": folder / "model",
        "--out": folder / "peer.json",
    }
    given = [str(word) for pair in flags.items() for word in pair]
    return [sys.executable, script, "peer", "pairs", *files, *given]


def measured(
    name: str, options: argparse.Namespace, *, folder: Path, seed: int
) -> dict[str, float]:
    command = command_of(name, options, folder=folder, seed=seed)
    threads = str(options.threads)
    cache = str(folder / "cache")
    return timed(command, environment={"OMP_NUM_THREADS": threads, "BERTFT_CACHE": cache})


def split(options: argparse.Namespace, folder: Path) -> None:
    header, *rows = options.train.read_text(encoding="utf-8").splitlines(keepends=True)
    parts = {
        "train": rows[: options.rows],
        "test": rows[options.rows : options.rows + options.test_rows],
    }
    for name, own in parts.items():
        (folder / f"{name}.tsv").write_text(header + "".join(own), encoding="utf-8")


def main() -> None:
    options = arguments()
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in options.contenders}
    for seed in range(options.rounds):
        for name in options.contenders:
            with tempfile.TemporaryDirectory() as place:
                split(options, Path(place))
                results[name].append(measured(name, options, folder=Path(place), seed=seed))
            print(name, json.dumps(results[name][-1]), file=sys.stderr)
    own = statistics.median(one["seconds"] for one in results.get("bertft") or [{"seconds": 0}])
    lines = ["| contender | seconds | times bertft | CPU s | memory |", "|---|---|---|---|---|"]
    for name, found in results.items():
        middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
        times = f"{middle['seconds'] / own:.2f}" if own else "-"
        lines.append(
            f"| {name} | {middle['seconds']:.1f} | {times} | {middle['cpu_seconds']:.0f} |"
            f" {middle['memory_gib']:.1f} GiB |"
        )
    write("whole", options, results, table="\n".join(lines) + "\n", folder=options.out)


if __name__ == "__main__":
    main()
