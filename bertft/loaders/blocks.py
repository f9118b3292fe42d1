"""Documents in, blocks of text out: paragraphs of text, Markdown, HTML and Word, pages of PDF.

.txt .md .html     lines count, from 1 (the first of a block)
.pdf               pages count; the library pypdf reads it
.docx              paragraphs count, rows of tables among them; the library python-docx reads it
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.util import find_spec
from itertools import pairwise
from pathlib import PurePath
from typing import Literal

from bertft.errors import DataError, first_line
from bertft.loaders.files import open_text, resolve
from bertft.loaders.source import Source
from bertft.loaders.workbooks import check_size

Unit = Literal["line", "page", "paragraph"]
WRAPPED = 60
"""Columns from which on a line without a stop at its end goes on in the next one."""
_ENDS = re.compile(r"""[.!?…:。！？]["'”’»)\]」』）*_]*\s*$""")
_SPACE = re.compile(r"\s+")
_HYPHEN = re.compile(r"(?<=\w)[-\u00ad]\n(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Block:
    """Text that belongs together, and where it begins."""

    text: str
    unit: Unit
    number: int


def width_of(text: str) -> int:
    """Columns of a text: signs of Korean, Chinese and Japanese count twice, in tokens as well."""
    return len(text) + sum(sign >= "\u1100" for sign in text)


def suffix_of(path: str) -> str:
    return PurePath(path.lower().removesuffix(".gz")).suffix


def is_document(path: str) -> bool:
    """Whether a name is that of a file which is read in blocks."""
    return suffix_of(path) in READERS


def read_blocks(source: Source) -> Iterator[Block]:
    """The blocks of a document, in order, none of them blank.

    Raises:
        DataError: it cannot be read, or the library that reads it is not installed.
    """
    resolve(source.path)
    for block in READERS[suffix_of(source.path)](source):
        if not block.text.isspace() and block.text:
            yield block


def _text(source: Source) -> Iterator[Block]:
    """Runs of lines that are not blank; lines that were wrapped are joined."""
    start, lines = 0, list[str]()
    with open_text(source) as file:
        for number, line in file:
            if line and not line.isspace():
                start = start if lines else number
                lines.append(line.strip())
            elif lines:
                yield Block(_unwrapped(lines), "line", start)
                lines = []
    if lines:
        yield Block(_unwrapped(lines), "line", start)


def _unwrapped(lines: list[str]) -> str:
    text = lines[0]
    for before, line in pairwise(lines):
        wrapped = width_of(before) >= WRAPPED and not _ENDS.search(before)
        text += (" " if wrapped else "\n") + line
    return text


# --- HTML ---------------------------------------------------------------------------------------

_UNSEEN = {"script", "style", "template", "noscript", "svg", "head", "textarea", "select"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5",
    "h6", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section", "summary",
    "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_CELLS = {"td", "th"}


class _Page(HTMLParser):
    """Gathers the blocks of a page: what a person sees, white space squeezed."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._parts: list[str] = []
        self._line = 1
        self._unseen = ""  # the element that hides what is inside it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self._unseen and tag in _UNSEEN:
            self._unseen = tag
        elif tag in _BLOCKS:
            self.flush()
            # What follows is seen again where a page forgot to end its head.
            self._unseen = "" if tag == "body" else self._unseen
        elif tag in _CELLS and self._parts:
            self._parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = ""
        elif tag in _BLOCKS:
            self.flush()

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if not data.isspace() and not self._parts:
            self._line = self.getpos()[0] + data[: len(data) - len(data.lstrip())].count("\n")
        if self._parts or not data.isspace():
            self._parts.append(data)

    def flush(self) -> None:
        if text := _SPACE.sub(" ", "".join(self._parts)).strip():
            self.blocks.append(Block(text, "line", self._line))
        self._parts = []


def _html(source: Source) -> Iterator[Block]:
    with open_text(source) as file:
        text = file.read()
    page = _Page()
    page.feed(text)
    page.close()
    page.flush()
    yield from page.blocks


# --- PDF and Word -------------------------------------------------------------------------------


def _need(library: str, package: str, *, path: str) -> None:
    if find_spec(library) is None:
        hint = f"pip install '.[documents]', or pip install {package}"
        raise DataError(f"reading it needs the library {package}", path=path, hint=hint)


def _pdf(source: Source) -> Iterator[Block]:
    _need("pypdf", "pypdf", path=source.path)
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it tells of every slip in a file
    try:
        reader = PdfReader(resolve(source.path))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DataError("has a password", path=source.path, hint="save it without one")
        for number, page in enumerate(reader.pages, start=1):
            text = _HYPHEN.sub("", page.extract_text().replace("\r\n", "\n"))
            for part in re.split(r"\n\s*\n", text):
                yield Block(_SPACE.sub(" ", part).strip(), "page", number)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes pypdf fail in many ways
        what = f"not a PDF that can be read ({first_line(error)})"
        raise DataError(what, path=source.path, hint="save it anew, or as text") from None


def _docx(source: Source) -> Iterator[Block]:
    _need("docx", "python-docx", path=source.path)
    from docx import Document
    from docx.table import Table

    hint = "save it anew as .docx, or as text"
    check_size(resolve(source.path), path=source.path, hint="split it, or save it as text")
    try:
        parts = list(Document(str(resolve(source.path))).iter_inner_content())
    except Exception as error:  # a damaged file makes python-docx fail in many ways
        what = f"not a Word file that can be read ({first_line(error)})"
        raise DataError(what, path=source.path, hint=hint) from None
    number = 0
    for part in parts:
        if isinstance(part, Table):
            for row in part.rows:
                number += 1
                cells = dict.fromkeys(cell.text.strip() for cell in row.cells)  # merged: once
                yield Block(" | ".join(filter(None, cells)), "paragraph", number)
        else:
            number += 1
            yield Block(part.text.strip(), "paragraph", number)


READERS: dict[str, Callable[[Source], Iterator[Block]]] = {
    "": _text,
    ".txt": _text,
    ".text": _text,
    ".md": _text,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
}
