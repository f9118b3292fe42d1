"""What the way from a file to the model costs: reading, encoding, and its share of training steps.

    python benchmarks/data_path.py [RECIPE] [--train F --dev F --model M --set K=V] [--steps N]

Encodes the training data with one and with two threads of the tokenizer, then takes N training
steps and tells which share of their time goes into making batches, moving them to the device, and
drawing dropout masks (CPU). Prints JSON. Each thread count is a process of its own, because the
tokenizer's threads are set when it is first used; best of --rounds, which counts least of what
else the machine is doing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import Any

from bertft.collector import paused_collector
from bertft.contracts import Batch
from bertft.encoder.dropout import FastDropout
from bertft.encoder.load import load_encoder
from bertft.jobs import build, prepare
from bertft.loaders.reading import read_examples
from bertft.tasks import make_task
from bertft.training import loop
from bertft.training.progress import Progress
from bertft.watch import Silent

PARTS = ("batches", "moves", "masks")


def main() -> None:
    given = arguments()
    if given.only:
        part = encoding if given.only == "encoding" else steps
        print(json.dumps(part(given)))
        return
    result: dict[str, Any] = {"recipe": given.recipe}
    for threads in (1, 2):
        result[f"encoding, {threads} threads"] = again("encoding", RAYON_NUM_THREADS=str(threads))
    result["steps"] = again("steps")
    print(json.dumps(result, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="sentiment")
    for name in ("train", "dev", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("encoding", "steps"), help=argparse.SUPPRESS)
    return parser.parse_args()


def again(part: str, **environment: str) -> Any:
    """What a new process measures."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", part]
    done = subprocess.run(
        command, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def request_of(given: argparse.Namespace) -> prepare.TrainRequest:
    return prepare.TrainRequest(
        recipe=given.recipe,
        overrides=tuple(given.overrides),
        train=given.train,
        dev=given.dev,
        model=given.model,
    )


def encoding(given: argparse.Namespace) -> dict[str, Any]:
    """Seconds, wall and CPU, of reading and encoding the training data."""
    recipe = prepare.read_recipe(request_of(given))
    encoder = load_encoder(recipe.model, offline=False)
    task = make_task(recipe.task)
    path, length = recipe.data.train, recipe.model.max_length
    rounds = []
    with paused_collector():  # as training does
        for _ in range(given.rounds):
            started = time.perf_counter()
            examples = read_examples(task, path, recipe.data, watch=Silent())
            read = time.perf_counter()
            bound = task.learn_labels(examples, path=path)
            begun, busy = time.perf_counter(), time.process_time()
            encoded = bound.encode(examples, encoder.tokenizer, max_length=length)
            rounds.append((time.perf_counter() - begun, time.process_time() - busy, read - started))
    wall, cpu, reading = (min(column) for column in zip(*rounds, strict=True))
    return {
        "examples": len(examples),
        "windows": len(encoded),
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "examples_a_second": round(len(examples) / wall),
        "seconds_reading": round(reading, 2),
    }


def steps(given: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a training step, and the percentages that go into its data."""
    request = request_of(given)
    job = prepare.prepare(prepare.read_recipe(request), request, watch=Silent())
    model, head = build.build_model(job)
    trainer = build.make_trainer(job, model, head)
    spent: dict[str, float] = defaultdict(float)
    trainer.batcher = timed(trainer.batcher, spent, "batches")
    Batch.on = timed(Batch.on, spent, "moves")  # type: ignore[method-assign]
    FastDropout.mask = timed(FastDropout.mask, spent, "masks")  # type: ignore[method-assign]
    reports = loop.run(trainer, progress=Progress(), evaluate=None)
    list(islice(reports, 3))
    seconds, shares = [], {part: [] for part in PARTS}
    for _ in range(given.steps):
        spent.clear()
        report = next(reports)
        seconds.append(report.seconds)
        for part in PARTS:
            shares[part].append(100 * spent[part] / report.seconds)
    return {
        "threads": job.runtime.threads,
        "precision": job.runtime.precision,
        "milliseconds": round(1000 * statistics.median(seconds), 1),
        **{f"% {part}": round(statistics.median(found), 2) for part, found in shares.items()},
    }


def timed(function: Callable[..., Any], spent: dict[str, float], part: str) -> Callable[..., Any]:
    """The function, which also adds its seconds to ``spent``."""

    def run(*arguments: Any, **settings: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **settings)
        finally:
            spent[part] += time.perf_counter() - started

    return run


if __name__ == "__main__":
    main()
