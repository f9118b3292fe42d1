"""The lock on a run directory: one process trains it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bertft.errors import RunError


def is_locked(run: Path) -> bool:
    """Whether a process trains a run now."""
    try:
        with locked(run, tell=lambda _: None):
            return False
    except RunError:
        return True


@contextmanager
def locked(run: Path, *, tell: Callable[[str], None], doing: str = "trained") -> Iterator[None]:
    """Be the only process that trains a run, or that has opened a file; the lock dies with it.

    Raises:
        RunError: another process does.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        descriptor = os.open(run, os.O_RDONLY)
    except OSError as error:
        raise RunError(f"{run} cannot be opened ({error.strerror})") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{run} is being {doing} by another process", hint="let it end, or stop it first"
            ) from None
        except OSError as error:
            tell(f"{run} cannot be locked ({error.strerror}): do not use it twice at once")
        yield
    finally:
        os.close(descriptor)
