"""Where bertft keeps what it made once, and how a file gets there: whole or not at all.

BERTFT_CACHE        the folder; else bertft/ in XDG_CACHE_HOME or ~/.cache
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bertft.errors import RunError


def cache_folder() -> Path:
    """The folder; it need not be there yet. Raises RunError where nothing tells where it is."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(os.environ.get("BERTFT_CACHE") or Path(base) / "bertft").expanduser()
    except RuntimeError:  # as in containers whose user has no name
        raise RunError("no home folder for the cache", hint="set BERTFT_CACHE") from None


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its name when it is complete, also where two processes write it.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
