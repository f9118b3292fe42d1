"""Seconds of training until a score on dev is reached: bertft with its recipe, and Trainer.

    python benchmarks/speedrun.py [RECIPE] [--train F --dev F] [--model M] [--target SCORE]
        [--every STEPS] [--set KEY=VALUE ...] [--peer-rate R] [--peer-epochs E] [--rounds K] [--cpu]

Both are scored on the whole dev set after every N steps, by the same function, and stop at the
first evaluation that reaches the target. ``seconds`` go from the first step to that evaluation,
without the evaluations themselves, which are told apart. Trainer has its best flags, with batches
of similar lengths (``trainer-best``) and in random order (``trainer-random``); its batch is the
recipe's, and so are its rate and its epochs unless they are given. Every measurement is a process
of its own with a seed of its round; contenders take turns; medians over the rounds count.

A dev score is the finishing line and must not choose the way: recipe, ``--set`` and the peer's rate
and epochs may be chosen on parts of train (``data.fold``), never on dev. Where a round does not
reach the target, it counts as longer than all that do.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from training import RESULTS, in_turns, peer, prepared, write

CONTENDERS = ("bertft", "trainer-best", "trainer-random")
TARGETS = {"sst2": 0.884, "nsmc": 0.834, "squad": 0.675}
"""Dev accuracy of SST-2 and NSMC, F1 of SQuAD: what Trainer came to on all data that were there."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="sst2")
    parser.add_argument("--train", default="", help="the recipe's own if not given")
    parser.add_argument("--dev", default="")
    parser.add_argument("--model", default="", help="the recipe's own if not given")
    parser.add_argument("--target", type=float, help="a score of the recipe's metric on dev")
    parser.add_argument("--every", type=int, default=100, help="steps between evaluations")
    parser.add_argument("--rows", type=int, default=0, help="training rows; 0 for all")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--peer-rate", type=float, help="Trainer's learning rate")
    parser.add_argument("--peer-epochs", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="CPU seconds, on a busy machine")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.target is None:
        options.target = TARGETS.get(options.recipe)
    if options.target is None:
        parser.error(f"--target is needed: {options.recipe} has none of its own")
    return options


class Clock:
    """Seconds of training so far, and of the evaluations, which do not count."""

    def __init__(
        self, evaluate: Callable[[], dict[str, float]], metric: str, *, cpu: bool = False
    ) -> None:
        self._evaluate, self._metric = evaluate, metric
        self._now = time.process_time if cpu else time.perf_counter
        self._began = self._now()
        self.aside = 0.0
        self.scores: list[float] = []

    def evaluate(self) -> dict[str, float]:
        started = self._now()
        found = self._evaluate()
        self.scores.append(found[self._metric])
        self.aside += self._now() - started
        return found

    def outcome(self, *, target: float, steps: int) -> dict[str, Any]:
        seconds = self._now() - self._began - self.aside
        return {
            "seconds": seconds,
            "reached": self.scores[-1] >= target,
            "steps": steps,
            "seconds_evaluations": self.aside,
            "scores": [round(one, 5) for one in self.scores],
        }


def run_bertft(options: argparse.Namespace) -> dict[str, Any]:
    from bertft.jobs.build import build_model, make_trainer
    from bertft.jobs.dev import dev_scorer
    from bertft.jobs.features import learn_from_states
    from bertft.jobs.lower_layers import keep_lower_states
    from bertft.training import loop
    from bertft.training.progress import Progress
    from bertft.watch import Silent

    job = prepared(options, [*options.set, f"training.evaluate_every={options.every}"])
    trainer = make_trainer(job, *build_model(job))
    evaluate = dev_scorer(job, trainer)
    assert evaluate is not None, "give --dev"
    clock = Clock(evaluate, trainer.metric, cpu=options.cpu)
    # States that are kept for several epochs are made within the time, and kept nowhere else.
    from_states = job.recipe.training.mode == "features"
    (learn_from_states if from_states else keep_lower_states)(job, trainer, watch=Silent())
    for report in loop.run(trainer, progress=Progress(), evaluate=clock.evaluate):
        if report.scores is not None and report.scores[trainer.metric] >= options.target:
            break
    return clock.outcome(target=options.target, steps=report.step)


def run_trainer(options: argparse.Namespace, *, kind: str) -> dict[str, Any]:
    import transformers

    from bertft.encoder.packing import Padder
    from bertft.jobs.dev import dev_scorer

    job = prepared(options, options.set)
    settings, tokenizer = job.recipe.training, job.encoder.tokenizer
    trainer = peer(
        job,
        kind=kind,
        rate=options.peer_rate or settings.learning_rate,
        epochs=options.peer_epochs or settings.epochs,
        seed=options.seed,
        flags={},
    )
    scored = SimpleNamespace(  # what the scorer asks of a trainer
        model=trainer.model,
        head=job.task.head(job.splits["train"]),
        batcher=Padder(tokenizer.pad_token_id, tokenizer.pad_token_type_id),
        accelerator=job.accelerator,
    )
    evaluate = dev_scorer(job, scored)
    assert evaluate is not None, "give --dev"
    metric = settings.metric or job.task.metric
    clock = Clock(evaluate, metric, cpu=options.cpu)

    class Finish(transformers.TrainerCallback):
        def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
            if state.global_step % options.every == 0 or state.global_step == state.max_steps:
                if clock.evaluate()[metric] >= options.target:
                    control.should_training_stop = True
                trainer.model.train()

    trainer.add_callback(Finish())
    trainer.train()
    return clock.outcome(target=options.target, steps=trainer.state.global_step)


def table(results: dict[str, list[dict[str, Any]]], *, target: float) -> str:
    """Medians; a round that did not reach the target took longer than any other."""
    medians = {name: median_seconds(found) for name, found in results.items()}
    own = medians.get("bertft", math.inf)
    lines = [
        f"| until dev {target:g} | reached | seconds | times bertft | steps | evaluations, s "
        "| best score |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        seconds = medians[name]
        shown = f"{seconds:.1f}" if seconds < math.inf else "not reached"
        times = f"{seconds / own:.2f}" if max(seconds, own) < math.inf else "-"
        steps, aside = (
            statistics.median(one[key] for one in found) for key in ("steps", "seconds_evaluations")
        )
        reached = f"{sum(one['reached'] for one in found)} of {len(found)}"
        best = statistics.fmean(max(one["scores"]) for one in found)
        cells = [name, reached, shown, times, f"{steps:.0f}", f"{aside:.1f}", f"{best:.4f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def median_seconds(found: list[dict[str, Any]]) -> float:
    return statistics.median(one["seconds"] if one["reached"] else math.inf for one in found)


def main() -> None:
    options = arguments()
    if options.one:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["BERTFT_CACHE"] = cache  # of other runs nothing is known
            own = options.one == "bertft"
            result = run_bertft(options) if own else run_trainer(options, kind=options.one)
        print(json.dumps(result))
        return
    results = in_turns(__file__, options.contenders, rounds=options.rounds)
    shown = table(results, target=options.target)
    write(
        f"speedrun-{Path(options.recipe).stem}", options, results, table=shown, folder=options.out
    )


if __name__ == "__main__":
    main()
