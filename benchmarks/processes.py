"""What it costs that two processes train together: seconds of a step, beside work without exchange.

    python benchmarks/processes.py [RECIPE] [--train F --dev F --model M] [--rows N] [--batch B]
        [--steps N] [--rounds K] [--fsdp]

Three contenders in turns, each with the same rows in its steps:

- ``together``: two processes of one thread share batches of B;
- ``apart``: two processes of one thread at the same time, each with its half of those batches, and
  no exchange: what a step of ``together`` would take if exchanging cost nothing;
- ``one``: one process of two threads with batches of B.

Seconds are those of the wall clock, and those of CPU time of one process, which tell something on a
busy machine too. Prints JSON and Markdown; ratios are medians over the rounds. ``--fsdp`` shards
the model of ``together``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

WARM = 3
"""Steps before those that are measured."""
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
ALONE = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="sentiment")
    for name in ("train", "dev", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--rows", type=int, default=0, help="the first N of --train")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=12, help="measured steps of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--fsdp", action="store_true")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    if given.contender:
        sys.stdout.write(json.dumps(measured(given)) + "\n")  # at once: two processes write
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.rows:
            given.train = str(first_rows(Path(given.train), given.rows, folder=Path(folder)))
        found: dict[str, list[dict[str, float]]] = {"together": [], "apart": [], "one": []}
        for _ in range(given.rounds):
            for name, turns in found.items():
                turns.append(turn(given, name))
    result = {clock: summary(found, clock) for clock in ("wall", "cpu")}
    flags = {name: value for name, value in vars(given).items() if name != "contender"}
    print(json.dumps(flags | result | {"turns": found}, indent=2))
    print(f"| seconds of a step | {' | '.join(result['wall'])} |")
    for clock, row in result.items():
        print(f"| {clock} | {' | '.join(f'{value:.3f}' for value in row.values())} |")


def summary(found: dict[str, list[dict[str, float]]], clock: str) -> dict[str, float]:
    """Medians of each contender and of their ratios."""
    seconds = {name: [one[clock] for one in turns] for name, turns in found.items()}
    ratios = {
        f"{above} / {below}": [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
        for above, below in (("together", "apart"), ("one", "together"))
    }
    return {name: statistics.median(values) for name, values in (seconds | ratios).items()}


def first_rows(path: Path, count: int, *, folder: Path) -> Path:
    """A file of the first ``count`` lines under the header of another."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = folder / path.name
    cut.write_text("".join(lines[: count + 1]), encoding="utf-8")
    return cut


def turn(given: argparse.Namespace, contender: str) -> dict[str, float]:
    """Seconds of a step of one contender, in processes of their own."""
    launch = () if contender == "one" else LAUNCH
    flags = [given.recipe, "--contender", contender]
    for name in ("train", "dev", "model", "batch", "steps", "precision"):
        flags += [f"--{name}", str(getattr(given, name))]
    done = subprocess.run(
        [sys.executable, *launch, __file__, *flags],
        env=os.environ
        | {"OMP_NUM_THREADS": "2" if contender == "one" else "1"}
        | (FSDP if given.fsdp and contender == "together" else {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    each = [json.loads(line) for line in done.stdout.splitlines()]
    return {clock: statistics.mean(one[clock] for one in each) for clock in each[0]}


def measured(given: argparse.Namespace) -> dict[str, float]:
    """Seconds of this process's steps: the median, and CPU time of all its threads."""
    if given.contender == "apart":
        for name in ALONE:
            os.environ.pop(name, None)
    from bertft.jobs import build, prepare
    from bertft.training import loop, processes
    from bertft.training.progress import Progress
    from bertft.watch import Silent

    settings = {"batch_size": given.batch, "precision": given.precision, "device": "cpu"}
    request = prepare.TrainRequest(
        recipe=given.recipe,
        train=given.train,
        dev=given.dev,
        model=given.model,
        overrides=tuple(f"training.{name}={value}" for name, value in settings.items()),
    )
    recipe = prepare.read_recipe(request)
    processes.join(cpu=True)
    job = prepare.prepare(recipe, request, watch=Silent())
    trainer = build.make_trainer(job, *build.build_model(job))
    if given.contender == "apart":
        trainer.plan = replace(trainer.plan, processes=2)
    reports = loop.run(trainer, progress=Progress(), evaluate=None)
    list(islice(reports, WARM))
    wall, cpu, before = [], [], time.process_time()
    for one in islice(reports, given.steps):
        wall.append(one.seconds)
        now = time.process_time()
        cpu.append(now - before)
        before = now
    return {"wall": statistics.median(wall), "cpu": statistics.median(cpu)}


if __name__ == "__main__":
    main()
