"""What the cheap dropout and embeddings that learn by rows save: CPU time of a training step.

    python benchmarks/step.py [RECIPE] [--train F --dev F --model M] [--steps N] [--rounds K]

One process trains with torch's own parts and with bertft's in turns, on the same batches; CPU time
(not wall time) of all threads, so that other work on the machine counts less. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from itertools import islice
from typing import Any

import torch

from bertft.jobs import build, prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.training import loop
from bertft.training.progress import Progress
from bertft.watch import Silent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="sentiment")
    for name in ("train", "dev", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--steps", type=int, default=8, help="measured steps of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    request = TrainRequest(recipe=given.recipe, train=given.train, dev=given.dev, model=given.model)
    recipe = read_recipe(request)
    job = prepare.prepare(recipe, request, watch=Silent())
    turns: dict[str, list[float]] = {"torch": [], "bertft": []}
    for _ in range(given.rounds):
        for name, found in turns.items():
            found.append(_milliseconds(job, cheap=name == "bertft", steps=given.steps))
    best = {name: min(found) for name, found in turns.items()}
    result = {
        "recipe": given.recipe,
        "batch": recipe.training.batch_size,
        "precision": job.runtime.precision,
        "threads": given.threads,
        "cpu_milliseconds_a_step": {name: round(value, 1) for name, value in best.items()},
        "medians": {name: round(statistics.median(found), 1) for name, found in turns.items()},
        "ratio": round(best["torch"] / best["bertft"], 3),
    }
    print(json.dumps(result, indent=2))


def _milliseconds(job: prepare.Job, *, cheap: bool, steps: int) -> float:
    """CPU milliseconds of one optimizer step, after two that warm up."""
    model, head = build.build_model(job)
    replace = build.cheap_on_cpu
    if not cheap:
        build.cheap_on_cpu = lambda _job, _model: []
    try:
        trainer: Any = build.make_trainer(job, model, head)
    finally:
        build.cheap_on_cpu = replace
    reports = loop.run(trainer, progress=Progress(), evaluate=None)
    list(islice(reports, 2))
    started = time.process_time()
    done = len(list(islice(reports, steps)))
    return (time.process_time() - started) * 1000 / done


if __name__ == "__main__":
    main()
