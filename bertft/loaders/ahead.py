"""Reading ahead without telling faults too early.

In: the items of a reader, and the BadRow it calls on its way. Out: the same items and the same
calls, in the order of the file, after the first items were looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from bertft.errors import DataError
from bertft.loaders.source import BadRow, refuse

T = TypeVar("T")

MOST_FAULTS = 10_000
"""Faults that are held back at most: a file of nothing else does not fill the memory."""


class Ahead(Generic[T]):
    """Stands between a reader, which is given ``bad_row``, and who takes its items."""

    def __init__(self, bad_row: BadRow) -> None:
        self._tell = bad_row
        self._held: deque[T | DataError] = deque()
        self._looking = False
        self._end: DataError | None = None
        self._items: Iterator[T] = iter(())

    def bad_row(self, error: DataError) -> None:
        """Hold a fault back while items before it are."""
        if not self._looking or not 0 < len(self._held) <= MOST_FAULTS:
            self._tell(error)
        elif self._tell is refuse:  # nothing behind it will be asked for
            raise error
        else:
            self._held.append(error)

    def look(
        self, items: Iterator[T], *, most: int, size: Callable[[T], int] = lambda _: 1
    ) -> list[T]:
        """The first items, until their sizes are ``most``; they are given out again."""
        found: list[T] = []
        left = most
        self._items, self._looking = items, True
        try:
            for item in items:
                found.append(item)
                self._held.append(item)
                left -= size(item)
                if left <= 0:
                    break
        except DataError as error:  # the reading ends here: told when the items before it are read
            if not found:
                raise
            self._end = error
        finally:
            self._looking = False
        return found

    def __iter__(self) -> Iterator[T]:
        while self._held:
            item = self._held.popleft()
            if isinstance(item, DataError):
                self._tell(item)
            else:
                yield item
        if self._end is not None:
            raise self._end
        yield from self._items
