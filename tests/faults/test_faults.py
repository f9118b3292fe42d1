"""A short version of the campaign (campaign.py): no fault loses a run or changes what it ends with.

Faults are met by processes of their own, forked by one that has imported everything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CAMPAIGN = Path(__file__).parent / "campaign.py"
KILLS = 6


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The lines of the campaign's table."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    path = tmp_path_factory.mktemp("faults") / "rows.json"
    command = [sys.executable, str(CAMPAIGN), "--kills", str(KILLS), "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert path.exists(), done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_no_run_is_lost(rows: list[dict[str, Any]]) -> None:
    assert [(row["fault"], row["remarks"]) for row in rows if row["lost"]] == []


@pytest.mark.slow
def test_every_run_ends_as_if_nothing_had_happened(rows: list[dict[str, Any]]) -> None:
    assert [(row["fault"], row["remarks"]) for row in rows if row["equal"] != row["tried"]] == []


@pytest.mark.slow
def test_every_fault_is_told_rightly(rows: list[dict[str, Any]]) -> None:
    """The exit code, and one line that says what happened and what to do."""
    assert [(row["fault"], row["remarks"]) for row in rows if row["told"] != row["tried"]] == []


@pytest.mark.slow
def test_so_many_faults_were_met(rows: list[dict[str, Any]]) -> None:
    killed = [row["tried"] for row in rows if "SIGKILL" in row["fault"] or "killed" in row["fault"]]
    assert sum(killed) >= KILLS
    assert len(rows) >= 12
    assert min(row["tried"] for row in rows) > 0
