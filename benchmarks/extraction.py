"""How long answers take after the forward passes: a QA run and a SQuAD file in, seconds out.

    python benchmarks/extraction.py RUN --data dev-v1.1.json

Prints JSON: seconds of the forward passes, of the extraction (n best spans of all windows of each
question, in characters of the passage), of the official scores, and the peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import Any

from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import load
from bertft.prediction.scoring import WINDOW
from bertft.settings import DataSettings
from bertft.watch import Silent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="a finished run of a qa recipe")
    parser.add_argument("--data", required=True, help="a SQuAD file")
    parser.add_argument("--precision", default="auto")
    given = parser.parse_args()
    predictor = load(given.run, precision=given.precision)
    task = predictor.task
    examples = read_examples(task, given.data, DataSettings(), watch=Silent())
    seconds = {"forward": 0.0, "extraction": 0.0}
    answers: list[dict[str, Any]] = []
    for first in range(0, len(examples), WINDOW):
        window = examples[first : first + WINDOW]
        started = time.perf_counter()
        pieces = predictor.pieces(window)
        between = time.perf_counter()
        answers += [task.decode(*pair) for pair in zip(window, pieces, strict=True)]
        seconds["forward"] += between - started
        seconds["extraction"] += time.perf_counter() - between
    started = time.perf_counter()
    scores = task.score(examples, answers).values
    seconds["scores"] = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    result = {
        "questions": len(examples),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "peak_memory_gib": round(peak, 2),
        "scores": {name: round(value, 4) for name, value in scores.items()},
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
