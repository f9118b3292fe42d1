"""Does ``bertft curve`` foretell what twice the data then give?

    python benchmarks/curve.py RECIPE --train F --test F [--share S] [--seeds 3] [--set K=V]

Trains on a share of the training rows with each seed, in features mode, and draws a learning curve
on half of it; then looks whether each of those scores lies inside the interval that the curve
predicts for a run of that size. The test file scores points and runs; nothing is chosen on it.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from bertft.commands.curve import curve
from bertft.commands.train import train
from bertft.jobs.request import TrainRequest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe")
    for name in ("train", "test", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows of --train")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(given, Path(folder)), indent=2))


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    def asked(share: float, out: str, seed: int | None = None) -> TrainRequest:
        settings = ("training.mode=features", *given.overrides, f"data.train_share={share}")
        return TrainRequest(
            recipe=given.recipe,
            overrides=settings,
            train=given.train,
            test=given.test,
            model=given.model,
            out=str(folder / out),
            seed=seed,
        )

    started = time.perf_counter()
    first = 13  # as the recipe's seed is, where it has none of its own
    values = []
    for seed in range(first, first + given.seeds):
        result = train(asked(given.share, f"whole-{seed}", seed))
        assert result is not None
        values.append(result.scores["metrics"])
    # Afterwards: the states of all rows, which are kept by now, serve every share.
    _, content = curve(asked(given.share / 2, "curve"), seeds=given.seeds)
    measured = [one[content["metric"]]["value"] for one in values]
    twice = content["predicted"][0]
    return {
        "recipe": given.recipe,
        "points": content["points"],
        "predicted": content["predicted"],
        "law": content["law"],
        "misfit": content["misfit"],
        "measured": measured,
        "inside": sum(twice["low"] <= one <= twice["high"] for one in measured),
        "says": content["says"],
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    main()
