"""Soft tags: the probabilities of the tags of each unit (word or piece) of a text.

    {"tags": ["O", "B-LOC", "I-LOC"], "start": [0, 4], "end": [3, 9],
     "p": [[0.9, 0.1, 0], [0.2, 0.8, 0]]}

In: such an object, or it as JSON in a cell. Out: SoftTags. Units are characters of the text, so
that whoever cuts it otherwise can ask as well.

Shape legend: U units of the text, V units that are asked for, C tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bertft.contracts import FloatArray, OffsetArray
from bertft.encoder.pieces import first_pieces
from bertft.errors import DataError
from bertft.loaders.soft import DIGITS, NEAR, object_in
from bertft.spans import Composed, Entity, split_tag, tags_to_entities

COLUMN = "soft_tags"
HINT = 'write it as {"tags": ["O", "B-X", "I-X"], "start": [0], "end": [3], "p": [[0.9, 0.1, 0]]}'
TOLD = "texts have probabilities of tags: all of them are learned"


@dataclass(frozen=True, slots=True)
class SoftTags:
    """``p`` [U, C]: the probability of each of ``tags`` for each of ``units`` [U, 2], which are in
    order, apart, and in characters."""

    tags: tuple[str, ...]
    units: OffsetArray
    p: FloatArray

    @property
    def types(self) -> set[str]:
        """The entity types that the tags speak of."""
        return {name for _, name in map(split_tag, self.tags) if name}

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        return tuple((int(start), int(end)) for start, end in self.units)

    def entities(self) -> tuple[Entity, ...]:
        """Those of the most probable tag of each unit."""
        best = [self.tags[tag] for tag in self.p.argmax(axis=1)] if len(self.p) else []
        return tuple(tags_to_entities(best, self.spans))

    def composed(self, composed: Composed) -> SoftTags:
        """The same in characters of the composed text."""
        spans = [composed.composed(start, end) for start, end in self.spans]
        return replace(self, units=np.array(spans, dtype=np.int32).reshape(-1, 2))

    def rows(self, units: OffsetArray, tags: Sequence[str]) -> FloatArray:
        """[V, C] the probabilities of ``tags`` for other units [V, 2]; 0 where nothing is told.

        A unit has those of the first unit here that it shares a character with. One that begins
        inside of it goes on with its entity, and does not begin it: what B-X has is I-X's.
        """
        first, there = first_pieces(units, self.units)
        rows = np.zeros((len(units), len(tags)), dtype=np.float32)  # [V, C]
        known = {tag: place for place, tag in enumerate(self.tags)}
        for column, tag in enumerate(tags):
            if tag in known:
                rows[there, column] = self.p[first[there], known[tag]]
        inside = there.copy()
        inside[there] = units[there, 0] > self.units[first[there], 0]
        places = {tag: column for column, tag in enumerate(tags)}
        for tag, column in places.items():
            if tag.startswith("B-") and (other := places.get(f"I-{tag[2:]}")) is not None:
                rows[inside, other] += rows[inside, column]
                rows[inside, column] = 0
        return rows

    def content(self) -> dict[str, Any]:
        """As it is written."""
        starts, ends = ([int(one) for one in side] for side in self.units.T)
        p = [[round(float(one), DIGITS) or 0 for one in row] for row in self.p]
        return {"tags": list(self.tags), "start": starts, "end": ends, "p": p}


def mean_tags(told: Sequence[SoftTags]) -> SoftTags:
    """The mean of what several say of one text, for the units of the first."""
    first = told[0]
    if len(told) == 1:
        return first
    total = sum(one.rows(first.units, first.tags).astype(np.float64) for one in told)
    total = np.asarray(total).reshape(first.p.shape)  # what one does not tell, the others do
    return replace(first, p=total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12))


def read_soft_tags(cell: Any, *, text: str) -> SoftTags | None:
    """The soft tags in a cell; None in an empty one. Raises DataError (without a place)."""
    if cell is None or cell == "":
        return None
    found = object_in(cell)
    if found is None or not all(name in found for name in ("tags", "start", "end", "p")):
        raise DataError(f"no probabilities of tags in column '{COLUMN}'", hint=HINT)
    tags = _tags(found["tags"])
    units = _units(found["start"], found["end"], text=text)
    return SoftTags(tags, units, _probabilities(found["p"], shape=(len(units), len(tags))))


def _tags(value: Any) -> tuple[str, ...]:
    tags = tuple(value) if isinstance(value, list) else ()
    for tag in tags:
        try:
            fits = split_tag(tag)[0] in ("O", "B", "I")
        except (ValueError, TypeError):
            fits = False
        if not fits:
            raise DataError(f"{COLUMN}: '{tag}' is none of the tags O, B-X and I-X", hint=HINT)
    if "O" not in tags or len(set(tags)) < len(tags):
        raise DataError(f"{COLUMN}: tags need O, and each tag once", hint=HINT)
    return tags


def _units(starts: Any, ends: Any, *, text: str) -> OffsetArray:
    both = [one if isinstance(one, list) else [None] for one in (starts, ends)]
    if len(both[0]) != len(both[1]) or not all(type(one) is int for side in both for one in side):
        what = f"{COLUMN}: start and end are no lists of whole numbers of one length"
        raise DataError(what, hint=HINT)
    units = np.array(both, dtype=np.int64).T.reshape(-1, 2)  # [U, 2]
    lost = (units[:, 0] < 0) | (units[:, 1] > len(text)) | (units[:, 0] >= units[:, 1])
    lost[1:] |= units[1:, 0] < units[:-1, 1]
    if lost.any():
        start, end = units[int(lost.argmax())]
        what = f"{COLUMN}: ({start}, {end}) is no unit of the text of {len(text)} characters"
        raise DataError(what, hint="units are in order, apart, and their end is behind them")
    return units.astype(np.int32)


def _probabilities(value: Any, *, shape: tuple[int, int]) -> FloatArray:
    try:
        p = np.array(value, dtype=np.float64).reshape(-1, shape[1])  # [U, C]
    except (ValueError, TypeError):
        p = np.zeros((0, 0))
    if p.shape != shape:
        raise DataError(f"{COLUMN}: p is not a number for each tag of each unit", hint=HINT)
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"{COLUMN}: p has what is no number from 0 to 1", hint=HINT)
    total = p.sum(axis=1, keepdims=True)
    off = np.abs(total - 1) > NEAR
    if off.any():
        what = f"{COLUMN}: the probabilities of a unit add up to {total[off][0]:.4g}, not to 1"
        raise DataError(what, hint=HINT)
    return np.asarray(p / total, dtype=np.float32)
