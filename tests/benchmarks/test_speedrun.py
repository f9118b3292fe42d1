"""benchmarks/speedrun.py: who reaches a score when, scored alike, evaluations not counted."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from samples import FAST, set_flags


@pytest.mark.slow
def test_each_side_stops_where_it_reaches_the_target(
    script: Any, reviews: dict[str, Path], tiny: Path, tmp_path: Path
) -> None:
    """Half right is reached at once: after the first two steps of twelve."""
    files = [f"--{name}={reviews[name]}" for name in ("train", "dev")]
    common = [*files, f"--model={tiny}", "--every=2", "--rounds=1", *set_flags(*FAST)]
    script("speedrun.py", "sentiment", *common, "--target=0.5", f"--out={tmp_path}")
    found = json.loads((tmp_path / "speedrun-sentiment.json").read_text("utf-8"))["results"]
    assert set(found) == {"bertft", "trainer-best", "trainer-random"}
    for (one,) in found.values():
        assert one["reached"]
        assert one["steps"] == 2 * len(one["scores"])
        assert all(score < 0.5 for score in one["scores"][:-1])
        assert one["scores"][-1] >= 0.5
        assert one["seconds"] > 0 < one["seconds_evaluations"]
    table = (tmp_path / "speedrun-sentiment.md").read_text("utf-8")
    assert table.count("1 of 1") == 3


def test_a_round_that_misses_the_target_is_slower_than_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    speedrun = import_module("speedrun")
    rows = {
        name: [
            {"seconds": s, "reached": r, "steps": 8, "seconds_evaluations": 1, "scores": [0.7]}
            for s, r in rounds
        ]
        for name, rounds in {
            "bertft": [(10, True), (1, False), (20, True)],
            "trainer-best": [(1, False), (30, True), (2, False)],
        }.items()
    }
    _, _, own, other = speedrun.table(rows, target=0.8).splitlines()
    assert own == "| bertft | 2 of 3 | 20.0 | 1.00 | 8 | 1.0 | 0.7000 |"
    assert other == "| trainer-best | 1 of 3 | not reached | - | 8 | 1.0 | 0.7000 |"
