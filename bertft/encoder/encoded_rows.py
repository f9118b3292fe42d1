"""Many short Encoded in a few flat arrays: each is made anew when it is asked for.

A row of 12 tokens takes 70 bytes here, and 300 as objects of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

from bertft.contracts import Encoded, Target

MANY = 2**14
"""Rows from which it is worth it."""


class EncodedRows(Sequence[Encoded]):
    """Encoded without offsets and masked tokens, in their order; ``examples`` is that of each."""

    def __init__(self, encoded: Iterable[Encoded]) -> None:
        self._ids, self._kinds = array("i"), array("b")
        self._ends = array("q", [0])
        self.examples = array("i")
        self._targets: list[Target] = []
        self._dropped: dict[int, int] = {}
        for number, one in enumerate(encoded):
            assert one.offsets is None
            assert one.masked is None
            self._ids.extend(one.input_ids)
            self._kinds.extend(one.token_type_ids)
            self._ends.append(len(self._ids))
            self.examples.append(one.example)
            self._targets.append(one.target)
            if one.dropped:
                self._dropped[number] = one.dropped
        assert len(self._kinds) in (0, len(self._ids)), "all have token types, or none has"

    def __len__(self) -> int:
        return len(self.examples)

    @overload
    def __getitem__(self, place: int) -> Encoded: ...

    @overload
    def __getitem__(self, place: slice) -> list[Encoded]: ...

    def __getitem__(self, place: int | slice) -> Encoded | list[Encoded]:
        if isinstance(place, slice):
            return [self._made(number) for number in range(len(self))[place]]
        return self._made(range(len(self))[place])

    def __iter__(self) -> Iterator[Encoded]:
        return map(self._made, range(len(self)))

    def _made(self, number: int) -> Encoded:
        start, end = self._ends[number], self._ends[number + 1]
        return Encoded(
            self._ids[start:end],
            self._kinds[start:end],
            self.examples[number],
            self._targets[number],
            dropped=self._dropped.get(number, 0),
        )

    def lengths(self) -> list[int]:
        return [end - start for start, end in pairwise(self._ends)]


def compact(encoded: list[Encoded]) -> Sequence[Encoded]:
    """The same, in less memory where there are many short ones, each with tokens of its own."""
    if len(encoded) < MANY or len({id(one.input_ids) for one in encoded}) < len(encoded):
        return encoded
    if any(one.offsets is not None or one.masked is not None for one in encoded):
        return encoded
    return EncodedRows(encoded)


def lengths_of(encoded: Sequence[Encoded]) -> list[int]:
    """Tokens of each."""
    if isinstance(encoded, EncodedRows):
        return encoded.lengths()
    return [len(one) for one in encoded]


def examples_of(encoded: Sequence[Encoded]) -> Sequence[int]:
    """The number of the example of each."""
    if isinstance(encoded, EncodedRows):
        return encoded.examples
    return [one.example for one in encoded]
