"""A server under attack, as benchmarks/hostile.py makes one: nothing is lost, nothing is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hostile.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and stops a process"),
]


def test_a_bad_day_loses_no_good_request(trained: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(trained), "--size", "small", "--json"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert (found["lost"], found["typed"], found["errors"], found["lost_lines"]) == (0, 0, 0, 0)
    phases = {one["name"]: one for one in found["phases"]}
    assert phases["ended"]["what"] == "exit code 0"
    for name in ("calm", "idle", "slow", "large", "bad", "stopped"):
        assert phases[name]["health_failed"] == 0, name
        assert phases[name]["not_taken"] == 0, name
    assert sum(one["answered"] for one in phases.values()) > 20
    assert phases["stopped"]["peak"] < phases["calm"]["peak"] + 300
