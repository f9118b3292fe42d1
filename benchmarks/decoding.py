"""The three ways to decode entities, on the same logits: an NER run and tagged texts in, F1 out.

    python benchmarks/decoding.py RUN --dev emerging.dev.conll --test emerging.test.annotated

What decoding learns (edges, the transitions of viterbi) is learned from ``--dev``; ``unlearned`` is
without. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bertft.contracts import Pieces
from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import Predictor, load
from bertft.recipe import load_recipe
from bertft.settings import DataSettings
from bertft.tasks import make_task
from bertft.watch import Silent

DECODINGS = ("greedy", "constrained", "viterbi")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run of an ner recipe")
    parser.add_argument("--dev", required=True)
    parser.add_argument("--test", required=True)
    given = parser.parse_args()
    predictor = load(given.run)
    recipe = load_recipe(str(Path(given.run) / "recipe.toml"))
    dev, dev_pieces = _logits(predictor, given.dev, recipe.data)
    test, test_pieces = _logits(predictor, given.test, recipe.data)
    result = {}
    for decoding in DECODINGS:
        task: Any = make_task(recipe.task | {"decoding": decoding})
        task = task.bind(predictor.task.labels, {})
        for name, one in ((decoding, task.fit(dev, dev_pieces)), (f"{decoding}, unlearned", task)):
            answers = [one.decode(*pair) for pair in zip(test, test_pieces, strict=True)]
            values = one.score(test, answers).values
            result[name] = {score: round(values[score], 4) for score in ("f1", "lenient_f1")}
    print(json.dumps(result, indent=2))


def _logits(predictor: Predictor, path: str, data: DataSettings) -> tuple[list[Any], list[Pieces]]:
    examples = read_examples(predictor.task, path, data, watch=Silent())
    return examples, predictor.pieces(examples)


if __name__ == "__main__":
    main()
