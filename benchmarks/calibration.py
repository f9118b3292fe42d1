"""Calibration of finished runs on data that trained nothing: before and after, and sets of labels.

    python benchmarks/calibration.py RUN[=FILE] ... [--out R.json]

FILE is the test data; else the run's own. Temperatures, thresholds and quantiles are those of the
run's dev set, so that nothing is tuned on what is measured. Calibration error of 15 bins of equally
many predictions; ``by chance`` is what probabilities that hold exactly would have. Coverage is
within its band where the number of covered examples lies in the central 95 % of the beta-binomial
distribution that split conformal prediction promises for n dev and m test examples (Vovk 2012).
"""

from __future__ import annotations

import argparse
import json
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import betabinom

from bertft.commands.evaluate import own_data
from bertft.evaluation.calibration import Choices
from bertft.evaluation.conformal import label_sets, quantile
from bertft.evaluation.probabilities import softmax
from bertft.evaluation.reliability import calibration_content
from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import load
from bertft.prediction.scoring import score_split
from bertft.recipe import load_recipe
from bertft.runs.folder import find_run
from bertft.runs.stored import read_dev
from bertft.watch import Silent

COVERAGES = (0.8, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN[=FILE]")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = [measured(*one.partition("=")[::2]) for one in options.runs]
    print(table(results))
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measured(name: str, path: str) -> dict[str, Any]:
    run = find_run(name)
    predictor = load(run, precision="fp32")
    task, dev = predictor.task, read_dev(predictor.folder)
    recipe = load_recipe(str(run.path / "recipe.toml"))
    path = path or own_data(run, recipe.data, watch=Silent())
    examples = read_examples(task, path, recipe.data, watch=Silent())
    scored = score_split(predictor, examples, split="test", path=path, metric="", watch=Silent())
    evidence = task.evidence(scored.answers, scored.gold)
    assert evidence is not None
    assert dev is not None
    found = calibration_content(evidence, task.scaling)
    keys = ("calibration_error", "brier", "nll")
    given = evidence.outcomes(task.scaling)
    return {
        "run": run.path.name,
        "dev": dev.examples,
        "test": len(examples),
        "metric": scored.metric,
        "value": scored.scores.values[scored.metric],
        "scaling": [list(one) for one in task.scaling],
        "before": {key: found.get("before", found)[key] for key in keys},
        "after": {key: found[key] for key in keys},
        "by_chance": found["by_chance"],
        "aurc": found.get("aurc"),
        "same_labels": bool((evidence.outcomes(()).right == given.right).all()),
        "dev_cross_fitted": dev.cross_fitted,
        "coverage": coverage(evidence, task.scaling, dev.improbable),
    }


def coverage(evidence: Any, scaling: Any, improbable: list[float]) -> list[dict[str, Any]]:
    """For each promise: what was covered, its band, and the mean size of the sets."""
    if not isinstance(evidence, Choices):
        return []
    p = softmax(evidence.logits * (scaling[0][0] if scaling else 1.0))
    count, found = len(evidence), []
    for promise in COVERAGES:
        sets = label_sets(p, quantile(improbable, coverage=promise))
        covered = int(sets[np.arange(count), evidence.gold].sum())
        rank = ceil((len(improbable) + 1) * promise - 1e-9)
        low, high = betabinom(count, rank, len(improbable) + 1 - rank).ppf([0.025, 0.975]) / count
        found.append({
            "promise": promise, "covered": covered / count, "low": low, "high": high,
            "within": bool(low <= covered / count <= high), "size": float(sets.sum(axis=1).mean()),
            "empty": float((~sets.any(axis=1)).mean()),
        })  # fmt: skip
    return found


def table(results: list[dict[str, Any]]) -> str:
    lines = [
        "| run | dev / test | score | ECE before | after | by chance | NLL before | after "
        "| Brier before | after |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        pairs = [
            f"{one['before'][key]:.4f} | {one['after'][key]:.4f}" + more
            for key, more in (
                ("calibration_error", f" | {one['by_chance']:.4f}"),
                ("nll", ""),
                ("brier", ""),
            )
        ]
        score = f"{one['metric']} {one['value']:.4f}"
        lines.append(
            f"| {one['run']} | {one['dev']:,} / {one['test']:,} | {score} | {' | '.join(pairs)} |"
        )
    lines += ["", "| run | promise | covered | 95 % band | mean size | empty |", "|---" * 6 + "|"]
    for one in results:
        lines += [
            f"| {one['run']} | {row['promise']:g} | {row['covered']:.4f}"
            f"{'' if row['within'] else ' (outside)'} | {row['low']:.4f} - {row['high']:.4f} "
            f"| {row['size']:.2f} | {row['empty']:.1%} |"
            for row in one["coverage"]
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
