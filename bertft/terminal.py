"""Text of unknown origin in, text that a terminal (or a page) only shows out.

A terminal obeys control characters: data could move its cursor, recolour what stands above, or ask
it to type. Here they become U+FFFD; so do halves of surrogate pairs, which no stream can write, and
the marks that turn the direction of what follows. Line ends and tabs stay.
"""

from __future__ import annotations

import re
from typing import Protocol, TextIO

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_OBEYED = re.compile(f"[{_CONTROLS}{_DIRECTIONS}\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without what a terminal would obey."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


class Writable(Protocol):
    """What text can be written to."""

    def write(self, text: str, /) -> int: ...


class Terminal:
    """A stream to a terminal: what is written to it is made ``printable``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        return self._stream.write(printable(text))


def shown(stream: TextIO) -> Writable:
    """The stream itself, for programs get the text as it is; a Terminal where a person reads it."""
    return Terminal(stream) if stream.isatty() else stream
