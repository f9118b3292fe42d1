"""Soft answers: where an answer begins and where it ends, with the probability of each place.

    {"start": [[17, 0.93], [30, 0.02]], "end": [[25, 0.9]]}

Places are characters of the context; an end is the first one behind the answer. What is left of 1
is "no answer". In: such an object, or it as JSON in a cell. Out: SoftAnswers.

Shape legend: K places of a start, M of an end, P pieces of the context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertft.contracts import FloatArray, OffsetArray
from bertft.errors import DataError
from bertft.loaders.soft import DIGITS, NEAR, is_probability, object_in
from bertft.spans import Composed, Span

COLUMN = "soft_answers"
HINT = 'write it as {"start": [[17, 0.9]], "end": [[25, 0.8]]}; what is left of 1 is no answer'
TOLD = "questions have probabilities of starts and ends: all of them are learned"

Places = dict[int, float]
"""Character -> probability."""


@dataclass(frozen=True, slots=True)
class SoftAnswers:
    """``start``: the probability that an answer begins at a character; ``end``: that it ends before
    one."""

    start: Places
    end: Places

    def probability(self, span: Span | None) -> float:
        """Of a span, or of None for no answer; start and end taken apart."""
        if span is None:
            return self._none(self.start) * self._none(self.end)
        return self.start.get(span[0], 0.0) * self.end.get(span[1], 0.0)

    @staticmethod
    def _none(places: Places) -> float:
        return max(0.0, 1 - sum(places.values()))

    def composed(self, composed: Composed) -> SoftAnswers:
        """The same in characters of the composed context."""
        return SoftAnswers(
            _added((composed.composed(at, at + 1)[0], p) for at, p in self.start.items()),
            _added((composed.composed(at - 1, at)[1], p) for at, p in self.end.items()),
        )

    def rows(self, offsets: OffsetArray) -> FloatArray:
        """[P, 2] the probabilities of start and end for pieces [P, 2] of the whole context.

        The start is in the first piece that ends behind it, the end in the last one that begins
        before it.
        """
        rows = np.zeros((len(offsets), 2), dtype=np.float32)  # [P, 2]
        if not len(offsets):
            return rows
        # Pieces of white space alone are empty, and may stand out of order.
        lasts = np.maximum.accumulate(offsets[:, 1])
        begins = np.minimum.accumulate(offsets[::-1, 0])[::-1]
        firsts = np.searchsorted(lasts, list(self.start), side="right")
        np.add.at(rows[:, 0], firsts.clip(max=len(rows) - 1), list(self.start.values()))
        ends = np.searchsorted(begins, list(self.end), side="left") - 1
        np.add.at(rows[:, 1], ends.clip(min=0), list(self.end.values()))
        return rows

    def content(self) -> dict[str, Any]:
        """As it is written: places whose probability is 0 to six digits are left out."""
        sides = {"start": self.start, "end": self.end}
        rounded = {
            name: [[at, round(p, DIGITS)] for at, p in sorted(places.items())]
            for name, places in sides.items()
        }
        return {name: [one for one in found if one[1]] for name, found in rounded.items()}


def of_characters(characters: OffsetArray, p: FloatArray) -> SoftAnswers:
    """The probabilities [P, 2] of start and end of pieces, by their ``characters`` [P, 2]."""
    starts = zip(characters[:, 0].tolist(), p[:, 0].tolist(), strict=True)
    ends = zip(characters[:, 1].tolist(), p[:, 1].tolist(), strict=True)
    return SoftAnswers(_added(starts), _added(ends))


def mean_answers(told: Sequence[SoftAnswers]) -> SoftAnswers:
    """The mean of what several say of one question."""
    share = 1 / len(told)
    return SoftAnswers(
        _added((at, p * share) for one in told for at, p in one.start.items()),
        _added((at, p * share) for one in told for at, p in one.end.items()),
    )


def _added(pairs: Iterable[Sequence[Any]]) -> Places:
    """Probabilities of one place in one."""
    found: Places = {}
    for at, p in pairs:
        found[at] = found.get(at, 0.0) + p
    return found


def read_soft_answers(cell: Any, *, context: str) -> SoftAnswers | None:
    """The soft answers in a cell; None in an empty one. Raises DataError (without a place)."""
    if cell is None or cell == "":
        return None
    found = object_in(cell)
    if found is None or set(found) != {"start", "end"}:
        raise DataError(f"no probabilities of starts and ends in column '{COLUMN}'", hint=HINT)
    size = len(context)
    return SoftAnswers(
        _places(found["start"], name="start", least=0, most=size - 1),
        _places(found["end"], name="end", least=1, most=size),
    )


def _places(value: Any, *, name: str, least: int, most: int) -> Places:
    pairs: list[Any] = value if isinstance(value, list) else [None]
    for one in pairs:
        if not isinstance(one, list) or len(one) != 2 or not is_probability(one[1]):
            raise DataError(f"{COLUMN}: {name} is no list of [character, probability]", hint=HINT)
        if type(one[0]) is not int or not least <= one[0] <= most:
            what = f"{COLUMN}: {name} {one[0]!r} is no place in the context"
            raise DataError(what, hint=f"characters from {least} to {most}")
    found = _added(pairs)
    total = sum(found.values())
    if total > 1 + NEAR:
        raise DataError(f"{COLUMN}: {name} adds up to {total:.4g}, more than 1", hint=HINT)
    return {at: p / total for at, p in found.items()} if total > 1 else found
