"""Folders that appear whole or not at all: what a kill between any two calls leaves is usable.

``replace_folder`` writes into a temporary sibling, flushes it to the disk with a manifest of
SHA-256 and only then renames it: ``last/`` becomes ``last-1/``, the new one ``last/``. A kill
between any two calls leaves a whole folder under one of these names (``settle_folders``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from bertft.errors import RunError

MANIFEST = "manifest.json"
STATE = "progress.json"
"""Where a checkpoint says how far its training was."""


def replace_folder(target: Path, write: Callable[[Path], None], *, keep: int = 1) -> None:
    """Fill a new folder with ``write`` and put it in the place of ``target``.

    The newest ``keep`` folders stay: ``target``, then ``target-1`` and so on. Where writing fails,
    nothing has changed and nothing half-written is left.

    Raises:
        OSError: it cannot be written.
    """
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()  # never its parents: a run directory that was removed stays removed
        write(partial)
        _seal(partial)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        # safetensors 0.8 and tokenizers 0.23 have errors of their own, with the system's number
        # in the text.
        found = None if isinstance(error, OSError) else re.search(r"\(os error (\d+)\)", str(error))
        if found:
            number = int(found[1])
            raise OSError(number, os.strerror(number), str(partial)) from error
        raise
    older = list(enumerate(saved_folders(target), start=1))
    for number, folder in reversed(older):
        folder.rename(_numbered(target, number))
    partial.rename(target)
    flush(target.parent)
    for folder in saved_folders(target)[keep:]:
        discard_folder(folder)


def saved_folders(target: Path) -> list[Path]:
    """``target`` and its older ones, those that exist, newest first."""
    older = [path for path in target.parent.glob(f"{target.name}-*") if _number(path) > 0]
    return [path for path in (target, *sorted(older, key=_number)) if path.is_dir()]


def settle_folders(target: Path) -> None:
    """Tidy up after a kill: the newest folder becomes ``target``, and what is half-done goes."""
    for pattern in (f".{target.name}.partial", f".{target.name}*.discarded"):
        for left in target.parent.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)
    for number, folder in enumerate(saved_folders(target)):
        if folder != _numbered(target, number):
            folder.rename(_numbered(target, number))


def discard_folder(folder: Path) -> None:
    """Remove a folder; a kill meanwhile leaves nothing that could be taken for a checkpoint."""
    discarded = folder.with_name(f".{folder.name}.discarded")
    shutil.rmtree(discarded, ignore_errors=True)
    folder.rename(discarded)
    shutil.rmtree(discarded, ignore_errors=True)


def _numbered(target: Path, number: int) -> Path:
    return target.with_name(f"{target.name}-{number}") if number else target


def _number(path: Path) -> int:
    suffix = path.name.rpartition("-")[2]
    return int(suffix) if suffix.isdecimal() else 0


def verify_folder(folder: Path) -> None:
    """Raise RunError unless every file of the manifest is there, unchanged."""
    try:
        digests = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        broken = [name for name, sha in digests.items() if _digest(folder / name) != sha]
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(f"{folder}: not a complete checkpoint ({error})") from error
    if broken:
        raise RunError(f"{folder}: damaged checkpoint, {', '.join(broken)} changed after saving")


def _seal(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): _digest(path) for path in files}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(digests, indent=1), encoding="utf-8")
    # safetensors 0.8 writes files that only their owner may read.
    for path in [*files, manifest]:
        path.chmod(0o666 & ~_umask())
    folders = [path for path in folder.rglob("*") if path.is_dir()]
    for path in [*files, manifest, *folders, folder]:
        flush(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """fsync a file or folder, so that a rename never outlives the data it points to."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
