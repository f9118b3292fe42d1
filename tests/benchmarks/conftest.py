"""Scripts of benchmarks/ are no package: they are called as a person calls them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def script() -> Script:
    """Run a script of benchmarks/ by its name; its process, which has to end well."""
    folder = Path(__file__).parents[2] / "benchmarks"

    def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, str(folder / name), *map(str, arguments)],
            env=os.environ,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run
