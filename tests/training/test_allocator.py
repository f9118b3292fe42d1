"""Memory that is freed stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from bertft.training.allocator import keep_freed_memory

def steps(count):
    for _ in range(count):
        [torch.ones(600_000) for _ in range(40)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

kept = keep_freed_memory()
before = steps(5)
print(kept, steps(10) - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_what_is_freed_is_not_fetched_again() -> None:
    """Ten steps that each free 96 MB would fetch up to 230,000 pages."""
    program = [sys.executable, "-c", PROGRAM]
    kept, pages = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert kept == "True"
    assert int(pages) < 1000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from bertft.training import allocator

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed_memory()
