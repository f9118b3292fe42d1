"""Bytes in, decoded lines out.

In: a path, ``bundled:NAME`` or ``-`` (stdin), plain or gzip-compressed, in any text encoding.
Out: lines with their 1-based numbers. A line ends at LF or CRLF and nowhere else: U+2028, form
feeds and lone CRs are text. Files whose lines all end in a lone CR (old Mac) are refused.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import cast

from bertft.errors import DataError, did_you_mean
from bertft.loaders.encoding_guess import AUTO, SAMPLE, guess, is_utf8
from bertft.loaders.encodings import BLOCK, encoding_hint, find_codec, transcoded, unzipped
from bertft.loaders.source import BadRow, Source, refuse
from bertft.recipe import BUNDLED, bundled_root

STDIN = "-"
MAX_LINE = 16 * 2**20  # bytes, also of a file that is one text for the model
MAX_FILE = 2**30  # bytes, unzipped, of a file that is read as one piece of JSON
MAX_RATIO = 200  # unzipped to zipped bytes: text has 2 to 10, log files 50
FREE = 64 * 2**20  # bytes from which that is looked at
HEAD = 2**16


def resolve(path: str) -> Path:
    """The file behind a path or ``bundled:NAME``. Raises DataError when it cannot be read."""
    file = Path(path)
    try:
        if path.startswith(BUNDLED):
            root = (bundled_root() / "data").resolve()
            file = (root / path.removeprefix(BUNDLED)).resolve()
            if not file.is_relative_to(root):
                raise DataError("a bundled path stays inside the data folder", path=path)
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("no such file", path=path, hint=_near(file)) from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({_reason(error)})", path=path) from None
    if file.is_dir():
        raise DataError("is a folder, not a file", path=path, hint="name a file inside it")
    if not os.access(file, os.R_OK):
        raise DataError("cannot be read (permission denied)", path=path)
    return file


def sha256(path: str) -> str:
    """SHA-256 of the bytes of a file, as hex digits; "" for a pipe, which is read only once."""
    if not resolve(path).is_file():
        return ""
    with _open(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class TextFile:
    """The lines of a file or stdin: ``for number, line in file``, once, in constant memory.

    A line that is not text in ``encoding``, or that holds a NUL character, goes to ``bad_row``,
    which raises, or returns to leave the line out. Everything else that is wrong raises DataError.
    The encoding ``auto`` is UTF-8, or what the start of the file shows, which goes to ``notes``.
    """

    _file: io.BufferedReader | None = None

    def __init__(
        self,
        path: str,
        *,
        encoding: str = "utf-8",
        bad_row: BadRow = refuse,
        notes: list[str] | None = None,
    ) -> None:
        self.name = "stdin" if path == STDIN else path
        self._guesses, self._notes = encoding == AUTO, notes
        encoding = "utf-8" if self._guesses else encoding
        self.encoding, self.bad_row = encoding, bad_row
        self.faults: deque[DataError] = deque()  # unusable lines in blocks handed out
        self._line = 1  # number of the first line that is not in a block yet
        self._head, self._hint = b"", ""
        self._codec, self._transcode = find_codec(encoding, path=self.name)
        self._file = None if path == STDIN else _open(path)
        self._size = os.fstat(self._file.fileno()).st_size if self._file else 0
        self._count = 0
        self._chunks = self._stream()

    def __enter__(self) -> TextFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; stdin stays open."""
        if self._file:
            self._file.close()

    __del__ = close  # a table may be opened only for its column names

    def fraction(self) -> float | None:
        """Share of the file's (compressed) bytes read so far; None for stdin, pipes, no bytes."""
        return min(self._count / self._size, 1.0) if self._size else None

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self.lines(self.blocks())

    def lines(self, blocks: Iterable[str], *, number: int = 1) -> Iterator[tuple[int, str]]:
        """The usable lines of blocks of this file, the first of which is line ``number``."""
        for text in blocks:
            lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
            numbered = enumerate(lines, number)
            yield from self._usable(numbered) if self.faults else numbered
            number += len(lines)

    def blocks(self) -> Iterator[str]:
        """The text in pieces of whole lines, line ends included (for speed).

        Unusable lines are in it, repaired, so that quotes around them still match; who reads
        blocks must look into ``faults``.
        """
        pending: list[bytes] = []
        held = 0
        while chunk := self._read():
            cut = chunk.rfind(b"\n") + 1
            if held + (chunk.find(b"\n") if cut else len(chunk)) > MAX_LINE:
                raise self._error(f"a line of more than {MAX_LINE >> 20} MiB", hint="split it")
            if cut:
                yield self._decode(b"".join((*pending, chunk[:cut])))
                pending, held = [], 0
            pending.append(chunk[cut:])
            held += len(pending[-1])
        last = b"".join(pending).removesuffix(b"\r")
        if self._line == 1 and b"\r" in last:
            raise self._error("lines end in CR only (old Mac)", hint="rewrite with tr '\\r' '\\n'")
        if last not in (b"", codecs.BOM_UTF8):
            yield self._decode(last)

    def read(self, *, most: int = 0) -> str:
        """The whole text, line ends untouched; an unusable line raises DataError, and so do more
        than ``most`` bytes (MAX_FILE for 0)."""
        most = most or MAX_FILE
        data = bytearray()
        while chunk := self._read():
            data += chunk
            if len(data) > most:
                raise self._error(f"more than {most >> 20} MiB in one text", hint="split it")
        text = self._decode(bytes(data))
        if self.faults:
            raise self.faults[0]
        return text

    def first(self) -> bytes:
        """The first byte that is neither white space nor BOM; b"" for none. It stays unread."""
        ahead = start = b""
        while (not start or len(ahead) < 3) and len(ahead) < HEAD and (chunk := self._read()):
            ahead += chunk
            start = ahead.removeprefix(codecs.BOM_UTF8).lstrip()
        self._chunks = chain((ahead,), self._chunks)
        return start[:1]

    def _stream(self) -> Iterator[bytes]:
        """The file's bytes, unzipped, in an encoding where LF is the byte 10 and nothing else."""
        chunks = self._raw()
        start = next(chunks, b"")
        chunks = chain((start,), chunks)
        if start == b"\x1f\x8b":
            chunks = self._bounded(unzipped(chunks))
        if self._guesses:
            chunks = self._recognised(chunks)
        yield from transcoded(chunks, self._transcode) if self._transcode else chunks

    def _recognised(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, after their start has told the encoding.

        A pipe is read on only where its first line is not UTF-8: who writes into it may wait.
        """
        seen, start, enough = [], b"", SAMPLE if self._file else 3
        for chunk in chunks:
            seen.append(chunk)
            start += chunk
            if len(start) >= enough and (is_utf8(start) or len(start) >= SAMPLE):
                break
        found = "" if is_utf8(start) else guess(start)[0]
        if found not in ("", "utf-8"):
            self.encoding = found
            self._codec, self._transcode = find_codec(found, path=self.name)
            note = f"read as {found}, which its bytes show (--set data.encoding=... says another)"
            if self._notes is not None and note not in self._notes:
                self._notes.append(note)
        return chain(seen, chunks)

    def _bounded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Unzipped bytes, unless they are so many that the file was made to fill a machine."""
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > max(FREE, MAX_RATIO * self._count):
                hint = "give the unzipped file if it is meant"
                raise self._error(f"gzip data of {MAX_RATIO} times their size", hint=hint)
            yield chunk

    def _raw(self) -> Iterator[bytes]:
        if not self._file and sys.stdin is None:
            raise DataError("is closed", path=self.name)
        raw = self._file or cast(io.BufferedReader, sys.stdin.buffer)
        for chunk in chain((raw.read(2),), iter(lambda: raw.read1(BLOCK), b"")):
            self._count += len(chunk)
            yield chunk

    def _read(self) -> bytes:
        try:
            return next(filter(None, self._chunks), b"")
        except UnicodeError:
            raise self._error(f"not {self.encoding} text", hint="check data.encoding") from None
        except (EOFError, zlib.error):
            raise self._error("gzip data damaged or cut off", hint="compress it again") from None
        except OSError as error:
            raise self._error(f"cannot be read ({_reason(error)})") from None

    def _error(self, message: str, *, hint: str = "") -> DataError:
        return DataError(message, path=self.name, line=self._line, hint=hint)

    def _decode(self, data: bytes) -> str:
        """Text of whole lines; their faults are noted, their number is counted."""
        if self._line == 1:
            if data.startswith(codecs.BOM_UTF8) and self._codec != "utf-8":
                hint = 'try --set data.encoding="utf-8"'
                raise self._error(f"UTF-8 text, not {self.encoding}", hint=hint)
            data = data.removeprefix(codecs.BOM_UTF8)
        self._head += data[: HEAD - len(self._head)]
        try:
            text = self._repair(data) if b"\0" in data else data.decode(self._codec)
        except UnicodeDecodeError:
            text = self._repair(data)
        self._line += data.count(b"\n")
        return text

    def _repair(self, data: bytes) -> str:
        texts = []
        for number, line in enumerate(data.split(b"\n"), self._line):
            reason, code = "", "encoding"
            if b"\0" in line:
                reason, code = "holds a NUL character", "nul-character"
            try:
                texts.append(line.decode(self._codec))
            except UnicodeDecodeError as error:
                reason = f"not {self.encoding} text (byte {error.start + 1} of the line)"
                texts.append(line.decode(self._codec, "replace"))
            if reason:
                sample = line if self._head.isascii() else self._head
                self._hint = self._hint or encoding_hint(sample, codec=self._codec)
                fault = DataError(reason, path=self.name, line=number, hint=self._hint, code=code)
                self.faults.append(fault)
        return "\n".join(texts)

    def _usable(self, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        for number, line in lines:
            if self.faults and self.faults[0].line == number:
                self.bad_row(self.faults.popleft())
            else:
                yield number, line


def _open(path: str) -> io.BufferedReader:
    try:
        return resolve(path).open("rb")
    except OSError as error:
        raise DataError(f"cannot be read ({_reason(error)})", path=path) from None


def _near(file: Path) -> str:
    """The file of the same folder that was probably meant."""
    try:
        names = sorted(entry.name for entry in islice(file.parent.iterdir(), 1000))
    except OSError:
        return f"there is no folder {file.parent}"
    return did_you_mean(file.name, names) if names else f"the folder {file.parent} is empty"


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def open_text(source: Source, *, path: str = "", bad_row: BadRow | None = None) -> TextFile:
    """The lines of a source, or of the file ``path`` that belongs to it."""
    return TextFile(
        path or source.path,
        encoding=source.data.encoding,
        bad_row=bad_row or source.bad_row,
        notes=source.meter.notes,
    )
