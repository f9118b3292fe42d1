"""benchmarks/gpu.py, as far as a CPU goes: both sides train, and packed rows are padded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_it_measures_both_works_and_checks_them(script: Any, tmp_path: Path) -> None:
    flags = ["--device=cpu", "--tiny", "--steps=3", "--warm=2", "--rounds=1", f"--out={tmp_path}"]
    done = script("gpu.py", *flags)
    found = json.loads((tmp_path / "gpu.json").read_text("utf-8"))["results"]
    assert found["peak_tflops"] > 0
    for work in ("SST-2", "SQuAD"):
        sides = found["speed"][work]
        assert set(sides) == {"bertft", "trainer-best", "trainer-random"}
        tokens = [one["tokens"] for (one,) in sides.values()]
        assert max(tokens) < 2 * min(tokens)  # real tokens of three steps, on each side
        assert all(one["tokens_per_second"] > 0 for (one,) in sides.values())
    checks = {(work, precision): one for work, precision, one in found["parity"]}
    assert len(checks) == 4
    for (_, precision), one in checks.items():
        assert one["packed"]
        assert one["gradients"] < (1e-4 if precision == "fp32" else 0.05)
    assert "| SQuAD | trainer-random |" in done.stdout
