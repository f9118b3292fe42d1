"""Seconds and size of a report of many predictions, made up: no model is needed.

    python benchmarks/report.py [--count 100000]

Texts of 5 to 24 words of 30,000, as frequent as Zipf has it; two labels, 77 labels, entities and
questions. What is timed: from predictions.jsonl to report.html and report.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bertft.reports.page import About
from bertft.reports.report import write_report
from bertft.training.history import read_history

KINDS = ("2 labels", "77 labels", "entities", "questions")


def rows(kind: str, count: int) -> Iterator[dict[str, Any]]:
    """Lines of predictions.jsonl, of which about a sixth are wrong; of entities, more."""
    generator = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(30_000)] + ["not", "no"]
    for number in range(count):
        drawn = generator.zipf(1.3, size=int(generator.integers(5, 25))) % len(vocabulary)
        words = [vocabulary[index] for index in drawn]
        row: dict[str, Any] = {"id": str(number), "loss": float(generator.exponential())}
        wrong, sure = generator.random() < 0.15, float(generator.random())
        if kind == "entities":
            found = {"start": 0, "end": 4, "label": "PER", "score": sure}
            gold = {"start": 0, "end": 6 if wrong else 4, "label": "PER"}
            yield row | {"text": " ".join(words), "entities": [found], "gold": [gold]}
        elif kind == "questions":
            gold_text = [" ".join(words[: 3 - wrong])]
            answer = {"answer": " ".join(words[:3]), "no_answer": False, "score": sure}
            yield row | {"question": " ".join(words), "gold": gold_text} | answer
        else:
            labels = int(kind.split()[0])
            gold_id = int(generator.integers(labels))
            given = (gold_id + int(wrong)) % labels
            scores = {f"label {i}": (1 - sure) / labels for i in range(labels)}
            yield row | {
                "text": " ".join(words), "label": f"label {given}", "score": sure,
                "scores": scores, "gold": f"label {gold_id}", "source": f"source {number % 5}",
            }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    count = parser.parse_args().count
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            folder, confusion = Path(name), dict[str, dict[str, int]]()
            with (folder / "predictions.jsonl").open("w", encoding="utf-8") as file:
                for row in rows(kind, count):
                    file.write(json.dumps(row) + "\n")
                    if "label" in row:
                        counts = confusion.setdefault(row["gold"], {})
                        counts[row["label"]] = counts.get(row["label"], 0) + 1
            scores = {
                "split": "test", "data": "made up", "n": count, "metric": "m", "baseline": {},
                "metrics": {"m": {"value": 0.5}}, "confusion": confusion,
            }  # fmt: skip
            start = time.perf_counter()
            write_report(folder, About("run", {"name": "x"}, "", {}, read_history(())), scores)
            seconds = time.perf_counter() - start
            sizes = [(folder / one).stat().st_size for one in ("report.html", "report.json")]
            print(f"{kind}: {seconds:.1f} s, {sizes[0]:,} and {sizes[1]:,} bytes")


if __name__ == "__main__":
    main()
