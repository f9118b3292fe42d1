"""Records of delimited text: lines in, cells out, with quotes or without.

In: a TextFile and its blocks. Out: Records. A record that cannot be used goes to the file's
``bad_row``; a broken quote over several lines ends the reading.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from bertft.errors import DataError
from bertft.loaders.files import TextFile
from bertft.loaders.quoting import AHEAD, first_quote, uses_quotes
from bertft.loaders.source import Source

MAX_RECORD = 16 * 2**20  # characters of one CSV record

Record = tuple[int, list[str]]
"""The line a record starts on, and its cells."""


class Split:
    """Records of lines in which quotes are plain text; the first of them is line ``number``.

    ``blank`` counts lines without any.
    """

    def __init__(
        self, file: TextFile, blocks: Iterable[str], delimiter: str, *, number: int = 1
    ) -> None:
        self._lines = file.lines(blocks, number=number)
        self._delimiter = delimiter
        self.blank = 0

    def __iter__(self) -> Iterator[Record]:
        for place, line in self._lines:
            if line:
                yield place, line.split(self._delimiter)
            else:
                self.blank += 1


class Either:
    """Records of TSV; from the first cell that starts with a quote on, as what follows tells."""

    def __init__(self, file: TextFile, blocks: Iterator[str], source: Source) -> None:
        self._file, self._blocks, self._source = file, blocks, source
        self._parts: list[Split | Quoted] = []
        self._done = 0

    @property
    def blank(self) -> int:
        return self._done + sum(part.blank for part in self._parts)

    def __iter__(self) -> Iterator[Record]:
        blocks = self._blocks
        number, width = 1, 0
        for text in blocks:
            at = first_quote(text)
            plain = Split(self._file, [text[:at] if at >= 0 else text], "\t", number=number)
            for line, cells in plain:
                width = width or len(cells)
                yield line, cells
            self._done += plain.blank
            number += text.count("\n", 0, at if at >= 0 else len(text))
            if at < 0:
                continue
            ahead = [text[at:]]
            while sum(map(len, ahead)) < AHEAD and (more := next(blocks, "")):
                ahead.append(more)
            whole = sum(map(len, ahead)) < AHEAD
            rest = self._rest(ahead, chain(ahead, blocks), number, width=width, whole=whole)
            self._parts.append(rest)
            yield from rest
            return

    def _rest(
        self, ahead: list[str], blocks: Iterable[str], number: int, *, width: int, whole: bool
    ) -> Split | Quoted:
        if not uses_quotes("".join(ahead), width=width, whole=whole):
            return Split(self._file, blocks, "\t", number=number)
        told = 'quotes are read as in CSV (--set data.quoting="none" takes them for text)'
        self._source.meter.notes.append(told)
        return Quoted(self._file, blocks, delimiter="\t", before=number - 1)


class Quoted:
    """Records with RFC 4180 quotes, which may run over several lines; ``blank`` as in Split."""

    def __init__(
        self, file: TextFile, blocks: Iterable[str], *, delimiter: str, before: int = 0
    ) -> None:
        self._file = file
        self.blank = 0
        self._blocks = blocks
        self._before = before  # lines of the file that stand before these blocks
        self._start = before + 1  # line where the record that is being read starts
        if csv.field_size_limit() < MAX_RECORD:  # one setting for the whole process: only raised
            csv.field_size_limit(MAX_RECORD)
        lines = chain.from_iterable(self._lines())
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[Record]:
        reader, faults = self._reader, self._file.faults
        while True:
            try:
                for cells in reader:
                    last = self._before + reader.line_num
                    line, self._start = self._start, last + 1
                    if faults and self._is_faulty(last):
                        continue
                    if cells:
                        yield line, cells
                    else:
                        self.blank += 1
                return
            except csv.Error as fault:
                line, last = self._start, self._before + reader.line_num
                error = self._error(str(fault), line=line, last=last)
            self._start = last + 1
            if last > line:  # the rows that it swallowed cannot be told apart
                raise error
            if not (faults and self._is_faulty(last)):
                self._file.bad_row(error)

    def _lines(self) -> Iterator[io.StringIO]:
        """Lines with their ends, block by block; a record that swallows too many is stopped."""
        start, size = 0, 0
        for text in self._blocks:
            size = len(text) + (size if start == self._start else 0)
            start = self._start
            if size > MAX_RECORD:
                raise self._error("field limit", line=start, last=start)
            yield io.StringIO(text, newline="\n")

    def _is_faulty(self, last: int) -> bool:
        """True when the record that ends on line ``last`` holds an unusable line."""
        faults = self._file.faults
        if faults[0].line > last:
            return False
        fault = faults.popleft()
        while faults and faults[0].line <= last:
            faults.popleft()
        self._file.bad_row(fault)
        return True

    def _error(self, fault: str, *, line: int, last: int) -> DataError:
        """What the csv module rejects in the record of lines ``line`` to ``last``."""
        hint = 'write quotes inside quotes as "", or --set data.quoting="none" if they are text'
        if "unexpected end" in fault:
            reason = "a quote that opens in this record is never closed"
        elif "field limit" in fault:
            reason = f"a record of more than {MAX_RECORD >> 20} MiB; is a quote never closed?"
        elif "new-line" in fault:
            reason, hint = "a lone CR outside quotes", "put the text in double quotes"
        else:
            reason = "a closing quote is followed by more text"
            reason += f" (on line {last})" if last > line else ""
        return DataError(reason, path=self._file.name, line=line, hint=hint)
