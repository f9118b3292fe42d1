"""A corpus: documents go in, each as the sentences that it consists of.

In: a Source of plain text (gzip-compressed too, or stdin): a blank line ends a document, the layout
of google-research/bert create_pretraining_data.py; or one text of a table, which is a document.
Out: Documents in file order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bertft.loaders.files import open_text
from bertft.loaders.source import Source

PASSAGE = 16
"""Lines that are held together, for train or for dev, where a file does not tell documents."""
# A full stop ends no sentence behind a single letter ("J. S. Bach") or before a small one.
# Possessive, and from the first of a run of stops only: linear in whatever a line holds.
_END = re.compile(
    r"""(?<![.!?…])(?<!\b\w)[.!?…]++["'”’»)\]]*+\s++(?![a-z])|[。！？]++[」』”’）]*+\s*+"""
)


@dataclass(frozen=True, slots=True)
class Document:
    """Consecutive sentences; not ``whole`` where a file does not tell which lines go together."""

    id: str
    line: int
    sentences: tuple[str, ...]
    whole: bool = True

    @property
    def text(self) -> str:
        return "\n".join(self.sentences)

    @property
    def texts(self) -> tuple[str, ...]:
        """What goes together: all of a whole document, else each sentence alone."""
        return (self.text,) if self.whole else self.sentences

    @property
    def group(self) -> str:
        return ""


def read_documents(source: Source) -> Iterator[Document]:
    """Documents of plain text. A file without blank lines gives passages, none of them ``whole``.

    Raises:
        DataError: an unreadable file, or with file and line a line that is not text.
    """
    blocks = _blocks(source)
    first, second = next(blocks, None), next(blocks, None)
    if first is None:
        return
    if second is None:
        yield from _passages(*first)
        return
    yield document_of(first[1], line=first[0])
    yield document_of(second[1], line=second[0])
    for line, texts in blocks:
        yield document_of(texts, line=line)


def document_of(texts: Iterable[str], *, line: int, id: str = "", whole: bool = True) -> Document:
    """A document of some texts, each of which holds whole sentences; ``id`` is else the line."""
    sentences = (one for text in texts for one in split_sentences(text))
    return Document(id or str(line), line, tuple(sentences), whole)


def split_sentences(text: str) -> list[str]:
    """The sentences of a text: cut behind full stops and at line ends, nothing left out."""
    found = []
    for line in text.splitlines():
        start = 0
        for end in _END.finditer(line):
            found.append(line[start : end.end()])
            start = end.end()
        found.append(line[start:])
    return [stripped for one in found if (stripped := one.strip())]


def sentence_at(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the sentence begins and ends that a part of a text stands in, or the sentences."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last
    for found in _END.finditer(text, first, last):
        if found.end() <= start:
            first = found.end()
        elif found.end() >= end:
            return first, found.end()
    return first, last


def _passages(line: int, texts: list[str]) -> Iterator[Document]:
    size = max(1, min(PASSAGE, len(texts) // 10))
    for start in range(0, len(texts), size):
        yield document_of(texts[start : start + size], line=line + start, whole=False)


def _blocks(source: Source) -> Iterator[tuple[int, list[str]]]:
    """(line number, lines) of each run of lines that are not blank."""
    start, texts = 0, list[str]()
    file = open_text(source)
    source.meter.fraction = file.fraction
    with file:
        for number, line in file:
            if line and not line.isspace():
                start = start if texts else number
                texts.append(line)
            elif texts:
                yield start, texts
                texts = []
    if texts:
        yield start, texts
