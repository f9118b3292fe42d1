"""Rows that are not all objects at once: stored as bytes, picked by number, made when asked for.

A million short rows as objects take 300 MB, and ten million do not fit into many a machine. What
goes through rows from the first to the last need not know: all of these are sequences, and a list
stays a list. Tables of `datasets` are mapped into memory as well, but a row of them takes several
times as long to read again (benchmarks/many_rows.py --arrow), and checks read all of them often.
"""

from __future__ import annotations

import json
import tempfile
import weakref
from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import chain, islice
from mmap import ACCESS_READ, mmap
from operator import attrgetter
from typing import IO, Any, TypeVar, overload

from bertft.errors import BertftError

R = TypeVar("R")
S = TypeVar("S")

MANY = 2**20
"""Rows from which objects take too much room; below it they are quicker to go through."""
PLAIN = {str, int, float, bool, type(None)}
IN_MEMORY = 2**26
"""Bytes that are held in memory; more of them go to a file, which the system reads as needed."""


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Bytes:
    """Bytes that are added at the end, and read by their places.

    From ``IN_MEMORY`` on they lie in a file without a name (in ``$TMPDIR``), mapped into memory:
    its pages are dropped when something else needs the room, and it is gone with the process.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._map: mmap | None = None
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, data: bytes) -> None:
        self._held += data
        self._size += len(data)
        if len(self._held) > IN_MEMORY:
            self._write()

    def __getitem__(self, place: slice) -> bytes:
        if self._file is None:
            return bytes(self._held[place])
        if self._held:
            self._write()
        if self._map is None:
            self._map = mmap(self._file.fileno(), 0, access=ACCESS_READ)
        return self._map[place]

    def _write(self) -> None:
        try:
            if self._file is None:
                # It lives as long as this does.
                self._file = tempfile.TemporaryFile()  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            self._file.write(self._held)
            self._file.flush()
        except OSError as error:
            what = f"{tempfile.gettempdir()} has no room for the rows ({error.strerror})"
            hint = "free some, or name another place: TMPDIR=/large/disk bertft ..."
            raise BertftError(what, hint=hint) from error
        self._held.clear()
        self._map = None


class Rows(Sequence[R]):
    """A sequence whose items are made when they are asked for, by ``_made``."""

    @abstractmethod
    def _made(self, number: int) -> R: ...

    @overload
    def __getitem__(self, place: int) -> R: ...

    @overload
    def __getitem__(self, place: slice) -> list[R]: ...

    def __getitem__(self, place: int | slice) -> R | list[R]:
        found = range(len(self))[place]
        return self._made(found) if isinstance(found, int) else [self._made(one) for one in found]

    def __iter__(self) -> Iterator[R]:
        return map(self._made, range(len(self)))


class Stored(Rows[R]):
    """Instances of one dataclass: each the JSON of its texts, numbers, Nones, and tuples of these.

    Rows with something else in them are kept as they are. Raises BertftError where a file of them
    finds no room.
    """

    def __init__(self, rows: Iterable[R]) -> None:
        self._bytes, self._ends = Bytes(), array("q", [0])
        self._whole: dict[int, R] = {}
        self._kind: type[Any] | None = None
        for row in rows:
            self.append(row)

    def append(self, row: R) -> None:
        if self._kind is None:
            kind: Any = type(row)
            self._kind, self._values = kind, attrgetter(*(one.name for one in fields(kind)))
        values = self._values(row)
        if all(type(one) in PLAIN or _is_plain_tuple(one) for one in values):
            self._bytes.extend(_to_json(values).encode("utf-8", "surrogatepass"))
        else:
            self._whole[len(self)] = row
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _made(self, number: int) -> R:
        start, end = self._ends[number], self._ends[number + 1]
        if start == end:
            return self._whole[number]
        assert self._kind is not None
        values = json.loads(self._bytes[start:end].decode("utf-8", "surrogatepass"))
        made: R = self._kind(*(tuple(one) if type(one) is list else one for one in values))
        return made


class Picked(Rows[R]):
    """Some of the rows of several sequences, which are numbered from the first to the last."""

    def __init__(self, parts: Sequence[Sequence[R]], numbers: Sequence[int]) -> None:
        self.parts, self.numbers = parts, numbers
        self._items = [part._made if isinstance(part, Rows) else part.__getitem__ for part in parts]
        self._starts = [0]
        for part in parts[:-1]:
            self._starts.append(self._starts[-1] + len(part))

    def __len__(self) -> int:
        return len(self.numbers)

    def _made(self, number: int) -> R:
        row = self.numbers[number]
        part = bisect_right(self._starts, row) - 1
        return self._items[part](row - self._starts[part])

    def __iter__(self) -> Iterator[R]:
        if len(self.parts) == 1:
            return map(self._items[0], self.numbers)
        return super().__iter__()


class Mapped(Rows[S]):
    """What a function makes of each row."""

    def __init__(self, make: Callable[[R], S], rows: Sequence[R]) -> None:
        self._make: Callable[[Any], S] = make
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def _made(self, number: int) -> S:
        return self._make(self._rows[number])

    def __iter__(self) -> Iterator[S]:
        return map(self._make, self._rows)


def _is_plain_tuple(value: Any) -> bool:
    return type(value) is tuple and all(type(one) in PLAIN for one in value)


def stored(rows: Iterable[R]) -> Sequence[R]:
    """All rows: a list, or ``Stored`` where they are ``MANY``."""
    source = iter(rows)
    first = list(islice(source, MANY))
    if len(first) < MANY:
        return first
    found = Stored(_emptied(first))
    for row in source:
        found.append(row)
    return found


def _emptied(rows: list[R]) -> Iterator[R]:
    """The rows of a list, which loses them."""
    rows.reverse()
    while rows:
        yield rows.pop()


def picked(rows: Sequence[R], numbers: Sequence[int]) -> Sequence[R]:
    """The rows of these numbers; of a list a list."""
    if isinstance(rows, list):
        return [rows[number] for number in numbers]
    if isinstance(rows, Picked):
        return Picked(rows.parts, array("q", (rows.numbers[number] for number in numbers)))
    return Picked([rows], array("q", numbers))


def joined(parts: Sequence[Sequence[R]]) -> Sequence[R]:
    """The rows of one sequence after those of another; of lists a list."""
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(one, list) for one in parts):
        return list(chain.from_iterable(parts))
    return Picked(parts, range(sum(map(len, parts))))


def mapped(make: Callable[[R], S], rows: Sequence[R]) -> Sequence[S]:
    """What a function makes of each row: of a list a list, else made when it is asked for."""
    return [make(row) for row in rows] if isinstance(rows, list) else Mapped(make, rows)
