"""Many short Encoded in a few flat arrays: each is made anew when it is asked for.

A row of 12 tokens takes 70 bytes here, and 300 as objects of its own. Very many tokens lie in a
file that is mapped into memory (rows.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from operator import ne

from bertft.contracts import Encoded, Masked, Target
from bertft.rows import Bytes, Rows

MANY = 2**14
"""Rows from which it is worth it."""
ID = array("i").itemsize
"""Bytes of a token's id; its type takes one."""


class EncodedRows(Rows[Encoded]):
    """Encoded without offsets, in their order; ``examples`` is that of each."""

    def __init__(self, encoded: Iterable[Encoded]) -> None:
        self._ids, self._kinds = Bytes(), Bytes()
        self._ends = array("q", [0])
        self._places, self._tokens, self._hidden = Bytes(), Bytes(), array("q", [0])  # masked
        self.examples = array("i")
        self._targets: list[Target] = []
        self._dropped: dict[int, int] = {}
        for number, one in enumerate(encoded):
            assert one.offsets is None
            assert one.soft is None
            if one.masked is not None:
                assert len(self._hidden) == number + 1, "all are masked, or none is"
                self._places.extend(array("i", one.masked.places).tobytes())
                self._tokens.extend(array("i", one.masked.tokens).tobytes())
                self._hidden.append(len(self._places) // ID)
            self._ids.extend(array("i", one.input_ids).tobytes())
            self._kinds.extend(array("b", one.token_type_ids).tobytes())
            self._ends.append(len(self._ids) // ID)
            self.examples.append(one.example)
            self._targets.append(one.target)
            if one.dropped:
                self._dropped[number] = one.dropped
        assert len(self._kinds) in (0, self._ends[-1]), "all have token types, or none has"
        assert len(self._hidden) in (1, len(self._ends)), "all are masked, or none is"

    def __len__(self) -> int:
        return len(self.examples)

    def _made(self, number: int) -> Encoded:
        start, end = self._ends[number], self._ends[number + 1]
        return Encoded(
            array("i", self._ids[ID * start : ID * end]),
            array("b", self._kinds[start:end]),
            self.examples[number],
            self._targets[number],
            dropped=self._dropped.get(number, 0),
            masked=self._masked(number),
        )

    def _masked(self, number: int) -> Masked | None:
        if len(self._hidden) == 1:
            return None
        own = slice(ID * self._hidden[number], ID * self._hidden[number + 1])
        return Masked(array("i", self._places[own]), array("i", self._tokens[own]))

    def lengths(self) -> list[int]:
        return [end - start for start, end in pairwise(self._ends)]


def gathered(encoded: Iterator[Encoded]) -> Sequence[Encoded]:
    """All of them, none of which has offsets: a list, or flat as they are made, if many."""
    first = list(islice(encoded, MANY))
    return first if len(first) < MANY else EncodedRows(chain(first, encoded))


def compact(encoded: Sequence[Encoded]) -> Sequence[Encoded]:
    """The same, in less memory where there are many short ones, each with tokens of its own."""
    if isinstance(encoded, EncodedRows):
        return encoded
    if len(encoded) < MANY or any(map(ne, originals(encoded), range(len(encoded)))):
        return encoded
    if any(one.offsets is not None or one.soft is not None for one in encoded):
        return encoded
    if len({one.masked is None for one in encoded}) > 1:
        return encoded
    return EncodedRows(encoded)


def originals(encoded: Sequence[Encoded]) -> Sequence[int]:
    """The number of the first that has the same array of tokens, of each: its own, mostly."""
    if isinstance(encoded, EncodedRows):  # whose arrays are made anew, and were none another's
        return range(len(encoded))
    first: dict[int, int] = {}
    return [first.setdefault(id(one.input_ids), number) for number, one in enumerate(encoded)]


def lengths_of(encoded: Sequence[Encoded]) -> Sequence[int]:
    """Tokens of each."""
    if isinstance(encoded, EncodedRows):
        return encoded.lengths()
    return [len(one) for one in encoded]


def examples_of(encoded: Sequence[Encoded]) -> Sequence[int]:
    """The number of the example of each."""
    if isinstance(encoded, EncodedRows):
        return encoded.examples
    return [one.example for one in encoded]
