"""The texts to choose from: answers in, those that are worth a look out, no two nearly the same.

In: answers with their uncertainty (or without, where there is no model yet), in any number. Out:
at most so many of them, the most uncertain first; memory does not grow with the file, but for 8
bytes a text that tell copies.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bertft.checks.duplicates import Folder
from bertft.checks.finding import Reading, Split
from bertft.checks.near import near_repeats
from bertft.prediction.predicted import Predicted
from bertft.selection.labelled import Texts, texts_of
from bertft.selection.uncertainty import UNCERTAINTY


@dataclass(slots=True)
class Pool:
    """Candidates, and what became of the others.

    ``most`` are kept; of texts without an uncertainty, as many by chance. ``labelled`` texts are
    left out, with what is nearly the same.
    """

    most: int
    labelled: Sequence[Texts]
    seed: int
    seen: int = 0
    unreadable: int = 0
    first: str = ""
    """Of what is unreadable: which, and why."""
    repeated: int = 0
    known: int = 0
    alike: int = 0
    _kept: list[tuple[float, int, Predicted]] = field(default_factory=list)

    def fill(self, found: Iterable[Predicted]) -> list[Predicted]:
        """The candidates, the most uncertain (else the first in the file) first."""
        chance = random.Random(self.seed)
        known = {_key(texts) for texts in self.labelled}
        told: set[int] = set()
        for one in found:
            self.seen += 1
            if "error" in one.answer:
                self.unreadable += 1
                self.first = self.first or f"{one.answer['id']}: {one.answer['error']}"
                continue
            key = _key(texts_of(one.answer))
            self.known += key in known
            self.repeated += key in told
            if key in known or key in told:
                continue
            told.add(key)
            rank = one.answer.get(UNCERTAINTY)
            self._keep(chance.random() if rank is None else rank, one)
        if self._kept and UNCERTAINTY in self._kept[0][2].answer:
            ordered = sorted(self._kept, key=lambda kept: (-kept[0], -kept[1]))
        else:
            ordered = sorted(self._kept, key=lambda kept: -kept[1])
        return self._without_alike([one for _, _, one in ordered])

    def _keep(self, rank: float, one: Predicted) -> None:
        entry = (rank, -self.seen, one)  # of equals, the first of the file
        if len(self._kept) < self.most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    def _without_alike(self, candidates: list[Predicted]) -> list[Predicted]:
        """Those that are not nearly the same as a labelled one, or as one before them."""
        labelled = _split("labelled", self.labelled)
        pool = _split("pool", [texts_of(one.answer) for one in candidates])
        splits = [labelled, pool] if self.labelled else [pool]
        repeats = near_repeats(splits, known={}, fold=Folder())
        alike = {row for (name, _), rows in repeats.items() if name == "pool" for row in rows}
        self.alike = len(alike)
        return [one for number, one in enumerate(candidates) if number not in alike]


def _key(texts: Texts) -> int:
    """A number that tells texts apart, but for case and spaces."""
    return hash(tuple(" ".join(text.casefold().split()) for text in texts))


def _split(name: str, texts: Sequence[Texts]) -> Split:
    readings = [Reading(one, (), None) for one in texts]
    return Split(name, name, readings, readings)
