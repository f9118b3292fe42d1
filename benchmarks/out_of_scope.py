"""Texts that no label fits: intents left out of training, and how well their texts are told.

    python benchmarks/out_of_scope.py --train TRAIN.csv --test TEST.csv [--label category]
        [--left-out 15] [--choices 5] [--folds] [--taught N] [--set KEY=VALUE ...] [--out R.json]

Each choice draws the intents that are left out, trains on the rows of the others (features mode
unless --set says otherwise), and asks for all rows of the test file, those of the intents left out
being out of scope. AUROC is by the score that answers have (entropy of the probabilities), and by
one minus the highest probability, the baseline (Hendrycks and Gimpel 2017). ``refused`` is the
share of texts in scope that the threshold refuses, which dev chose without any text out of scope;
``recognised`` that of those out of scope.

--folds takes a fifth of the training rows in the place of the test file: a score is to be chosen on
these. --taught N has N rows of a third of the intents left out in train, as ``oos``, and asks for
those of the other two thirds.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bertft.commands.train import train
from bertft.evaluation.out_of_scope import auroc
from bertft.jobs.request import TrainRequest
from bertft.watch import Silent

OUTSIDE = "oos"
Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--label", default="category")
    parser.add_argument("--left-out", type=int, default=15)
    parser.add_argument("--choices", type=int, default=5)
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--taught", type=int, default=0)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results = []
    for choice in range(given.choices):
        with tempfile.TemporaryDirectory() as folder:
            results.append(measured(given, choice, Path(folder)))
        print(json.dumps(results[-1]), flush=True)
    print(table(results))
    if given.out:
        given.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measured(given: argparse.Namespace, choice: int, folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(choice)
    rows, test = read(given.train), read(given.test)
    names = sorted({row[given.label] for row in rows})
    left = [str(one) for one in random.choice(names, given.left_out, replace=False)]
    if given.folds:
        order = random.permutation(len(rows))
        first = {*order[: len(rows) // 5].tolist()}
        test = [row for n, row in enumerate(rows) if n in first or row[given.label] in left]
        rows = [row for n, row in enumerate(rows) if n not in first]
    taught: set[str] = set(left[: given.left_out // 3]) if given.taught else set()
    own = [row for row in rows if row[given.label] not in left]
    some = [row for row in rows if row[given.label] in taught]
    chosen = random.permutation(len(some))[: given.taught].tolist()
    own += [some[one] | {given.label: OUTSIDE} for one in chosen]
    test = [
        row | {given.label: OUTSIDE} if row[given.label] in left else row
        for row in test
        if row[given.label] not in taught
    ]
    request = TrainRequest(
        recipe="banking77",
        train=write(folder / "train.csv", own),
        test=write(folder / "test.csv", test),
        out=str(folder / "run"),
        seed=choice,
        overrides=(
            f"task.label_column={given.label}",
            "task.out_of_scope=true",
            "training.mode=features",
            *given.overrides,
        ),
    )
    result = train(request, watch=Silent())
    assert result is not None
    found, scores = result.scores["out_of_scope"], result.scores["metrics"]
    return {
        "choice": choice,
        "accuracy": scores["accuracy"]["value"],
        "entropy": found["auroc"]["value"],
        "max_probability": by_probability(folder / "run" / "predictions.jsonl"),
        "refused": found["refused"]["value"],
        "recognised": found["recognised"]["value"],
    }


def by_probability(file: Path) -> float:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    sides: dict[bool, list[float]] = {True: [], False: []}
    for row in rows:
        sides[row["gold"] == OUTSIDE].append(1 - row["score"])
    return auroc(np.array(sides[True]), np.array(sides[False]))["value"]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Sequence[Row]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def table(results: Sequence[dict[str, Any]]) -> str:
    names = [name for name in results[0] if name != "choice"]
    lines = ["| | mean | deviation |", "|---|---|---|"]
    for name in names:
        values = [one[name] for one in results]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        lines.append(f"| {name} | {statistics.fmean(values):.4f} | {spread:.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
