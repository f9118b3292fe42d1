"""Where entities end inside a unit: what sticks to them is learned from dev, and cut off again.

Korean particles stick to names (서울에서), brackets and signs to whatever they stand beside, and a
tokenizer that keeps them in one piece leaves no tag for the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bertft.contracts import OffsetArray
from bertft.spans import Entity

LONGEST = 4
"""Characters of the longest edge."""
ENOUGH = 3
"""How often an edge has to be seen outside of an entity."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Strings that stick to entities without being part of them, longest first."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def trim(self, entity: Entity, text: str, units: OffsetArray) -> Entity:
        """The entity without what sticks to it inside its first and its last unit."""
        if not (self.before or self.after):
            return entity
        starts, ends = units[:, 0], units[:, 1]
        first = text[entity.start : int(ends[starts == entity.start][0])]
        last = text[int(starts[ends == entity.end][-1]) : entity.end]
        before = next((len(one) for one in self.before if _sticks(first, one, after=False)), 0)
        after = next((len(one) for one in self.after if _sticks(last, one, after=True)), 0)
        start, end = entity.start + before, entity.end - after
        return replace(entity, start=start, end=end) if start < end else entity


def _sticks(unit: str, edge: str, *, after: bool) -> bool:
    whole = unit.endswith(edge) if after else unit.startswith(edge)
    return whole and len(edge) < len(unit)


def learn_edges(texts: Iterable[tuple[str, Sequence[Entity], OffsetArray]]) -> Edges:
    """Edges that stood outside the gold entities more often than inside.

    Each text comes with its gold entities and its units [U, 2], all in the same characters.
    """
    outside: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    inside: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for text, entities, units in texts:
        for entity in entities:
            touched = units[(units[:, 0] < entity.end) & (units[:, 1] > entity.start)]
            if not len(touched):
                continue
            start, end = int(touched[0, 0]), int(touched[-1, 1])
            before, after = text[start : entity.start], text[entity.end : end]
            first = text[entity.start : int(touched[0, 1])]
            last = text[int(touched[-1, 0]) : entity.end]
            outside[0][before] += 1
            outside[1][after] += 1
            inside[0].update(first[:size] for size in range(1, min(LONGEST, len(first) - 1) + 1))
            inside[1].update(last[-size:] for size in range(1, min(LONGEST, len(last) - 1) + 1))
    sides = [
        tuple(
            sorted((one for one, n in out.items() if _counts(one, n, within)), key=_longest_first)
        )
        for out, within in zip(outside, inside, strict=True)
    ]
    return Edges(*sides)


def _counts(edge: str, seen: int, inside: Counter[str]) -> bool:
    return 0 < len(edge) <= LONGEST and seen >= ENOUGH and seen > inside[edge]


def _longest_first(edge: str) -> tuple[int, str]:
    return -len(edge), edge
