"""Small disks: file systems in memory that are full when they are told to be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOMY = 64 * 2**20


def can_mount(folder: Path) -> bool:
    """Whether this process may mount a file system of its own (Linux, as root)."""
    try:
        with mounted(folder, ROOMY):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Callable[[], None]]:
    """An empty disk of ``size`` bytes at ``folder``; calling what is yielded makes it roomy."""

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True)

    mount(f"size={size}")
    try:
        yield lambda: mount(f"remount,size={ROOMY}")
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The disk at ``folder`` cannot be written for a while."""
    command = ["mount", "-o", "remount,ro", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        command[2] = "remount,rw"
        subprocess.run(command, check=True, capture_output=True)
