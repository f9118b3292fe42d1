"""Words of texts, and which texts hold those of a query: BM25 (Robertson and Zaragoza 2009; the
library bm25s, in Lucene's form).

Words are compared in lower case. Korean, Chinese and Japanese words count as their pairs of signs
as well: particles and endings then differ, and the rest still matches.
"""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import regex  # type: ignore[import-untyped, unused-ignore]

from bertft.collector import paused_collector
from bertft.contracts import FloatArray

if TYPE_CHECKING:
    from bm25s import BM25

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_PAIRED = regex.compile(r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]{3,}")


def words_of_text(text: str) -> list[str]:
    """The words of a text as they are compared, in order."""
    words: list[str] = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    for word in tuple(words):
        if not word.isascii() and (found := _PAIRED.search(word)):
            run = found.group()
            words += [run[place : place + 2] for place in range(len(run) - 1)]
    return words


class Words:
    """The BM25 index of some texts."""

    def __init__(self, found: BM25, *, count: int) -> None:
        self._index, self._count = found, count

    @classmethod
    def of(cls, texts: Iterable[str]) -> Words:
        """Make the index."""
        from bm25s import BM25

        with paused_collector():
            words = [words_of_text(text) for text in texts]
            index = BM25(method="lucene")
            if any(words):
                index.index(words, show_progress=False)
        return cls(index, count=len(words))

    @classmethod
    def read(cls, folder: Path, *, count: int) -> Words | None:
        """The index that was written; None where there is none, or a damaged one."""
        from bm25s import BM25

        try:
            index = BM25.load(folder, mmap=True, allow_pickle=False)
            return cls(index, count=count) if index.scores["num_docs"] == count else None
        except Exception:  # whatever a file that was cut short gives: it is made again
            return None

    def write(self, folder: Path) -> None:
        """Keep the index in a new folder, which appears whole or not at all."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".", suffix=folder.suffix, dir=folder.parent))
        try:
            self._index.save(partial, allow_pickle=False, show_progress=False)
            shutil.rmtree(folder, ignore_errors=True)
            partial.replace(folder)
        except OSError:  # another process was quicker: it has written the same
            pass
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def scores(self, query: str) -> FloatArray:
        """How well the words of a query are matched by each text [N]; 0 where none is there."""
        known: dict[str, int] = getattr(self._index, "vocab_dict", {})
        words = [word for word in words_of_text(query) if word in known]
        if not words:
            return np.zeros(self._count, dtype=np.float32)
        scores: Any = self._index.get_scores(words)
        return np.asarray(scores)
