"""Where bertft keeps what it made once, and how a file gets there: whole or not at all.

BERTFT_CACHE        the folder; else bertft/ in XDG_CACHE_HOME or ~/.cache
BERTFT_CACHE_GIB    its largest size in GiB; else 10

The folder is kept below that size: what was not used for longest goes first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bertft.errors import RunError

LARGEST = 10.0
"""GiB."""
GIB = 2**30
KEPT = (".states", ".passages", ".words", ".vectors", ".scale")
"""Suffixes of what is kept: states of features mode, passages with their vectors, folders of words
and lists of vectors for the index of a search, and what makes probabilities of the answers of a
run."""


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


def largest() -> int:
    """Bytes that the folder may hold. Raises RunError where BERTFT_CACHE_GIB is no size."""
    told = os.environ.get("BERTFT_CACHE_GIB", "")
    try:
        size = float(told or LARGEST)
        if 0 <= size < 2**30:
            return int(size * GIB)
    except ValueError:
        pass
    raise RunError(f"BERTFT_CACHE_GIB is '{told}', not a number of GiB", hint="set it to 10")


def cached_files() -> list[Path]:
    """All that is kept, what a kill has left half-written included; what was used last comes
    last."""
    found = []
    for path in (one for suffix in KEPT for one in cache_folder().glob(f"*{suffix}")):
        try:
            found.append((path.stat().st_mtime_ns, path))
        except OSError:  # another process has just removed it
            continue
    return [path for _, path in sorted(found)]


def cached_size(path: Path) -> int:
    """Bytes of what is kept under a name: a file, or a folder of files."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(one.stat().st_size for one in files)


def remove_cached(path: Path) -> None:
    """Remove what is kept under a name; it may be gone already."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def not_kept(path: Path, error: OSError) -> RunError:
    """What to raise where the cache cannot hold a file."""
    what = f"{path.parent}: {os.strerror(error.errno).lower() if error.errno else error}"
    return RunError(what, hint="fix that, or set BERTFT_CACHE to another folder")


def make_room(size: int) -> None:
    """Remove what was not used for longest, until the rest is no larger than that."""
    files = [(path, cached_size(path)) for path in cached_files()]
    held = sum(bytes for _, bytes in files)
    for path, bytes in files:
        if held <= size:
            return
        remove_cached(path)
        held -= bytes
