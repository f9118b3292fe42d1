"""benchmarks/whole.py: both commands train on the first rows, test on the next, and are timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import make_tiny

FILMS = [("the film is good and fun", 1), ("a bad film", 0), ("i love it", 1), ("so bad", 0)]


@pytest.mark.slow
def test_both_commands_are_timed_from_start_to_end(script: Any, tmp_path: Path) -> None:
    rows = [f"{text}\t{label}\n" for text, label in FILMS * 8]
    for name, own in (("train", rows), ("dev", rows[:8])):
        (tmp_path / f"{name}.tsv").write_text("sentence\tlabel\n" + "".join(own), encoding="utf-8")
    model = make_tiny(tmp_path / "tiny", positions=128)
    files = [f"--{name}={tmp_path / name}.tsv" for name in ("train", "dev")]
    sizes = ["--rows=24", "--test-rows=8", "--batch=8", "--rounds=1", "--threads=1"]
    sides = ["--contenders", "bertft", "trainer-best"]
    done = script("whole.py", *files, *sizes, f"--model={model}", f"--out={tmp_path}", *sides)
    assert "| trainer-best |" in done.stdout
    found = json.loads((tmp_path / "whole.json").read_text("utf-8"))["results"]
    assert set(found) == {"bertft", "trainer-best"}
    for (one,) in found.values():
        assert one["seconds"] > 1
        assert one["cpu_seconds"] > 1
