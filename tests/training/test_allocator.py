"""Memory that is freed stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from bertft.training import allocator
kept = allocator.keep_freed_memory()
for _ in range(20):
    torch.ones(4_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(4_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_what_is_freed_is_not_fetched_again() -> None:
    """16 MB twenty times are 80,000 pages where each is fetched anew."""
    program = [sys.executable, "-c", PROGRAM]
    kept, pages = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert kept == "True"
    assert int(pages) < 1000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from bertft.training import allocator

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed_memory()
