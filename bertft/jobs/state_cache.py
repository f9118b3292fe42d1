"""Encoder states on disk: made once, then read by every run that needs the same ones.

A file holds the states [R, H] of a set of texts as float32, row after row, and at its end the
SHA-256 of all that. Its name is the hash of what the states follow from, so that nothing is ever
out of date. Files appear whole or not at all; one that is damaged is noticed and made again.

Shape legend: R rows of all texts, H hidden width.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bertft.cache_folder import GIB, cache_folder, largest, make_room, not_kept, whole_file
from bertft.contracts import FloatArray
from bertft.errors import RunError

SUFFIX = ".states"
DIGEST = hashlib.sha256().digest_size
BLOCK = 2**22


@dataclass(frozen=True, slots=True)
class CachedStates:
    """The file of the states that follow from ``facts``; there or not there."""

    path: Path
    rows: int
    width: int

    @classmethod
    def of(cls, facts: Mapping[str, Any], *, name: str, rows: int, width: int) -> CachedStates:
        """``name`` is for people: a word at the start of the file's name."""
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        word = "".join(c if c.isalnum() or c in "-._" else "-" for c in Path(name).name)[:60]
        return cls(cache_folder() / f"{word.lstrip('.-')}-{key[:32]}{SUFFIX}", rows, width)

    @property
    def size(self) -> int:
        return self.rows * self.width * 4 + DIGEST

    def read(self) -> FloatArray | None:
        """The states [R, H], mapped from the file; None where it is not there, or damaged."""
        try:
            if self.path.stat().st_size != self.size or not self._is_whole():
                return None
            os.utime(self.path)  # used just now
            return np.memmap(self.path, dtype="<f4", mode="r", shape=(self.rows, self.width))
        except OSError:
            return None

    def _is_whole(self) -> bool:
        digest, left = hashlib.sha256(), self.size - DIGEST
        with self.path.open("rb") as file:
            while left:
                block = file.read(min(left, BLOCK))
                if not block:
                    return False
                digest.update(block)
                left -= len(block)
            return file.read() == digest.digest()

    def write(self, parts: Iterable[FloatArray]) -> None:
        """Write the states, in parts of some rows each.

        Raises:
            RunError: they are more than the cache may hold, or cannot be written.
        """
        limit = largest()
        if self.size > limit:
            what = f"the encoder's states take {self.size / GIB:.1f} GiB, the cache holds"
            hint = "set BERTFT_CACHE_GIB, or fine-tune: training.mode=fine-tune"
            raise RunError(f"{what} {limit / GIB:.1f}", hint=hint)
        try:
            make_room(limit - self.size)
            self._write_whole(parts)
        except OSError as error:
            raise not_kept(self.path, error) from None

    def _write_whole(self, parts: Iterable[FloatArray]) -> None:
        digest = hashlib.sha256()
        with whole_file(self.path) as file:
            for part in parts:
                content = np.ascontiguousarray(part, dtype="<f4").tobytes()
                digest.update(content)
                file.write(content)
            file.write(digest.digest())
