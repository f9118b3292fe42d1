"""Would another default be better? The pinned scores of a recipe, and what levers do to them.

    python benchmarks/levers.py train RECIPE --out F.json [--train F] [--seeds 5] [--levers A ...]
    python benchmarks/levers.py table F.json ...

``train`` fits the recipe as it is and with each lever pulled, once a seed. Seed 13 + k trains on
four fifths of the training rows and is scored on the other one, so no dev or test set that others
are compared on is ever looked at; a lever and the recipe meet on the same rows with the same seed.
What is in F.json already is not trained again. ``table`` prints the differences with a 95 %
interval (paired t over the seeds), and says for each lever whether it wins.

Levers: ``longer`` (twice the epochs), ``layer_decay`` (0.8; where the recipe has it: none),
``smoothing`` (label smoothing 0.1), ``average`` (the mean of the weights of the last third of the
steps: Izmailov et al. 2018), ``reinitialise`` (the two top layers start anew: Zhang et al. 2021),
``r_drop`` (two passes that must agree, weight 1: Liang et al. 2021). The last three are done here,
from outside: what does not win is not part of the package.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from scipy import stats

from bertft.commands.train import train
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe
from bertft.runs import fitting, start
from bertft.settings import Recipe
from bertft.training import loop

FIRST, FOLDS = 13, 5
TOP_LAYERS = 2
AVERAGED = 1 / 3
"""Share of the steps, the last ones, whose weights are averaged."""


# --- levers -------------------------------------------------------------------------------------


def longer(recipe: Recipe) -> list[str]:
    return [f"training.epochs={2 * recipe.training.epochs}"]


def layer_decay(recipe: Recipe) -> list[str]:
    return [f"training.layer_decay={0.8 if recipe.training.layer_decay == 1 else 1.0}"]


def smoothing(recipe: Recipe) -> list[str]:
    classifies = recipe.task["name"] in ("classification", "nli")
    return ["task.label_smoothing=0.1"] if classifies else []


@contextmanager
def average() -> Iterator[None]:
    """The model that is scored, and saved, at the end has averaged weights."""
    run = loop.run

    def averaging(trainer: loop.Trainer, *, progress: Any, evaluate: Any) -> Iterator[Any]:
        weights = [one for one in trainer.model.parameters() if one.requires_grad]
        sums = [torch.zeros_like(one) for one in weights]
        last = trainer.plan.total_steps
        count = 0

        def collect() -> None:
            nonlocal count
            count += 1
            trainer.model.state_dict()  # rows of large tables take the steps that they have missed
            for total, one in zip(sums, weights, strict=True):
                total += one.detach()

        def after_backward() -> None:  # what the step before this one has left
            if progress.step >= last * (1 - AVERAGED):
                collect()

        def scores() -> dict[str, float]:
            if progress.step == last:
                collect()
                with torch.no_grad():
                    for total, one in zip(sums, weights, strict=True):
                        one.copy_(total / count)
            return dict(evaluate())

        trainer.after_backward = [*trainer.after_backward, after_backward]
        yield from run(trainer, progress=progress, evaluate=scores)

    with mock.patch.object(fitting.loop, "run", averaging):
        yield


@contextmanager
def reinitialise() -> Iterator[None]:
    build = start.build_model

    def fresh(job: Any) -> Any:
        model, head = build(job)
        for layer in model.base_model.encoder.layer[-TOP_LAYERS:]:
            layer.apply(again(model))
        return model, head

    with mock.patch.object(start, "build_model", fresh):
        yield


def again(model: Any) -> Callable[[torch.nn.Module], None]:
    """What gives a module the random weights of a new model (Devlin et al. 2019: normal, 0.02)."""
    deviation = model.config.initializer_range

    def initialise(module: torch.nn.Module) -> None:
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=deviation)
            torch.nn.init.zeros_(module.bias)
        elif isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.ones_(module.weight)
            torch.nn.init.zeros_(module.bias)

    return initialise


@dataclasses.dataclass
class Both:
    """A head whose loss is that of two passes, and half of their divergence in each direction."""

    trainer: loop.Trainer
    batch: Any

    def loss(self, first: Any, gold: torch.Tensor) -> torch.Tensor:
        trainer = self.trainer
        with trainer.accelerator.autocast():
            second = trainer.model(**self.batch.on(trainer.accelerator.device))
        one, two = (
            torch.log_softmax(each.logits.float().flatten(0, -2), dim=-1)
            for each in (first, second)
        )  # [B, C], or [T, C]
        counted = gold.flatten() >= 0  # pieces without a tag have none
        apart = ((one.exp() - two.exp()) * (one - two)).sum(dim=-1)[counted].sum()
        losses = [trainer.head.loss(each, gold) for each in (first, second)]
        return (losses[0] + losses[1]) / 2 + apart / 4


@contextmanager
def r_drop() -> Iterator[None]:
    """A second pass through other dropout, of which the first must not differ."""
    backward = loop._backward

    def twice(trainer: loop.Trainer, batch: Any, *, share: Any, step: int) -> float:
        both = dataclasses.replace(trainer, head=Both(trainer, batch))
        return backward(both, batch, share=share, step=step)

    with mock.patch.object(loop, "_backward", twice):
        yield


def nothing(recipe: Recipe) -> list[str]:
    return []


LEVERS: dict[str, tuple[Callable[[Recipe], list[str]], Callable[[], Any]]] = {
    "recipe": (nothing, nullcontext),
    "longer": (longer, nullcontext),
    "layer_decay": (layer_decay, nullcontext),
    "smoothing": (smoothing, nullcontext),
    "average": (nothing, average),
    "reinitialise": (nothing, reinitialise),
    "r_drop": (nothing, r_drop),
}


# --- trainings ----------------------------------------------------------------------------------


def measure(given: argparse.Namespace) -> None:
    recipe = load_recipe(given.recipe)
    found: dict[str, Any] = {"recipe": given.recipe, "set": given.name or given.recipe, "runs": {}}
    if given.out.exists():
        found = json.loads(given.out.read_text(encoding="utf-8"))
    for seed in range(FIRST, FIRST + given.seeds):
        for name in given.levers:
            overrides, hook = LEVERS[name]
            runs = found["runs"].setdefault(name, {})
            changes = overrides(recipe)
            if str(seed) in runs or (overrides is not nothing and not changes):
                continue
            started = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder, hook():
                fold = f"data.fold={seed % FOLDS + 1}/{FOLDS}"
                request = TrainRequest(
                    recipe=given.recipe,
                    overrides=("data.test=", fold, *given.overrides, *changes),
                    train=given.train,
                    model=given.model,
                    out=f"{folder}/run",
                    seed=seed,
                )
                result = train(request)
            assert result is not None
            scores = result.scores
            runs[str(seed)] = {
                "score": scores["metrics"][scores["metric"]]["value"],
                "seconds": round(time.perf_counter() - started, 1),
            }
            found |= {"metric": scores["metric"], "rows": scores["n"]}
            print(found["set"], name, seed, runs[str(seed)], flush=True)
            given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def difference(base: list[float], other: list[float]) -> tuple[float, float]:
    """Mean of the paired differences, and half of its 95 % interval (t over the seeds)."""
    apart = [b - a for a, b in zip(base, other, strict=True)]
    mean = sum(apart) / len(apart)
    spread = math.sqrt(sum((one - mean) ** 2 for one in apart) / (len(apart) - 1))
    return mean, float(stats.t.ppf(0.975, len(apart) - 1)) * spread / math.sqrt(len(apart))


def table(files: list[Path]) -> None:
    print("| set | metric | lever | seeds | score | difference | 95 % CI | time | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))
        base = found["runs"]["recipe"]
        for name, runs in found["runs"].items():
            seeds = sorted(runs.keys() & base.keys())
            ours = [base[one]["score"] for one in seeds]
            theirs = [runs[one]["score"] for one in seeds]
            cells = [found["set"], found["metric"], name, f"{len(seeds)}"]
            cells.append(f"{sum(theirs) / len(theirs):.4f}" if seeds else "")
            if name != "recipe" and len(seeds) > 1:
                mean, half = difference(ours, theirs)
                seconds = [sum(one[s]["seconds"] for s in seeds) for one in (base, runs)]
                verdict = "wins" if mean > half else "loses" if mean < -half else "no difference"
                cells += [f"{mean:+.4f}", f"{mean - half:+.4f} to {mean + half:+.4f}"]
                cells += [f"{seconds[1] / seconds[0]:.2f} x", verdict]
            else:
                deviation = stats.tstd(theirs) if len(theirs) > 1 else float("nan")
                cells += [f"deviation {deviation:.4f}", "", "", ""]
            print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    trains = verbs.add_parser("train")
    trains.add_argument("recipe")
    for name in ("train", "model", "name"):
        trains.add_argument(f"--{name}", default="")
    trains.add_argument("--out", type=Path, required=True)
    trains.add_argument("--seeds", type=int, default=5)
    trains.add_argument("--levers", nargs="+", choices=list(LEVERS), default=list(LEVERS))
    trains.add_argument("--set", dest="overrides", action="append", default=[])
    verbs.add_parser("table").add_argument("files", nargs="+", type=Path)
    given = parser.parse_args()
    measure(given) if given.verb == "train" else table(given.files)


if __name__ == "__main__":
    main()
