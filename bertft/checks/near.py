"""Rows that are nearly the same: all their texts share most of their character trigrams.

In: Splits, and what is known to be a repeat already. Out: Repeats. MinHash with locality-sensitive
hashing (Broder 1997; Leskovec, Rajaraman and Ullman 2014, chapter 3; rensa does both) proposes, the
exact Jaccard similarity of the trigram sets decides: nothing is reported that is not so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from rensa import RMinHash, RMinHashLSH

from bertft.checks.duplicates import Folder, Repeats, Texts
from bertft.checks.finding import Split

ALIKE = 0.8
"""Jaccard similarity from which on texts are near duplicates."""
BANDS, ROWS = 20, 6
"""20 bands of 6 hashes: of pairs with similarity 0.8, 1 - (1 - 0.8 ** 6) ** 20 = 99.8 % are
proposed."""
SEED = 1
CHUNK = 4096
CROWD = 20
"""Of a crowd of rows that are all alike, so many are compared with later ones."""

Row = tuple[int, int]
"""Position of a split, and of a row in it."""


def near_repeats(splits: Sequence[Split], *, known: Repeats, fold: Folder) -> Repeats:
    """Rows that are nearly the same as an earlier row of their split or of a split before theirs.

    Rows that are ``known`` as repeats are left out.
    """
    rows = list(_rows(splits, known))
    search = _Search(splits, fold, field=_telling_field(splits, rows))
    found: Repeats = {}
    todo = iter(rows)
    while chunk := list(islice(todo, CHUNK)):
        for row, others in search.look_up(chunk):
            for place, other in others.items():
                pair = (splits[row[0]].name, splits[place].name)
                found.setdefault(pair, {})[row[1]] = other
    return found


def _rows(splits: Sequence[Split], known: Repeats) -> Iterator[Row]:
    for place, split in enumerate(splits):
        repeated: set[int] = set()
        for (name, _), rows in known.items():
            if name == split.name:
                repeated |= rows.keys()
        yield from ((place, index) for index in range(len(split.readings)) if index not in repeated)


def _telling_field(splits: Sequence[Split], rows: Sequence[Row]) -> int:
    """Which text of a row tells rows apart best: the question rather than the passage."""
    values: dict[int, set[str]] = {}
    for place, index in rows:
        for number, text in enumerate(splits[place].readings[index].texts):
            values.setdefault(number, set()).add(text)
    return max(values, key=lambda number: len(values[number]), default=0)


class _Search:
    """An index of the rows seen so far, by the trigrams of one of their texts."""

    def __init__(self, splits: Sequence[Split], fold: Folder, *, field: int) -> None:
        self._splits, self._fold, self._field = splits, fold, field
        self._index = RMinHashLSH(threshold=ALIKE, num_perm=BANDS * ROWS, num_bands=BANDS)
        self._rows: list[Row] = []
        self._followers: Counter[int] = Counter()

    def look_up(self, chunk: Sequence[Row]) -> Iterator[tuple[Row, dict[int, int]]]:
        """Each row with the rows it is nearly the same as, one of each split; then index it."""
        texts = [self._texts(row) for row in chunk]
        tokens = [list(trigrams(one[self._field])) for one in texts]
        sketches = RMinHash.from_token_sets(tokens, BANDS * ROWS, SEED)
        for row, own, sketch in zip(chunk, texts, sketches, strict=True):
            found: dict[int, int] = {}
            crowded = False
            for number in sorted(self._index.query(sketch)):
                place, index = self._rows[number]
                if place not in found and alike(own, self._texts((place, index))):
                    found[place] = index
                    self._followers[number] += 1
                    crowded |= place == row[0] and self._followers[number] > CROWD
            if found:
                yield row, found
            if not crowded:
                self._index.insert(len(self._rows), sketch)
                self._rows.append(row)

    def _texts(self, row: Row) -> Texts:
        return self._fold(self._splits[row[0]].readings[row[1]].texts)


def trigrams(text: str) -> set[str]:
    """All runs of three characters; the text itself where it is shorter."""
    return {text[start : start + 3] for start in range(max(1, len(text) - 2))}


def alike(one: Texts, other: Texts) -> bool:
    """Whether each text shares ALIKE of its trigrams with its counterpart (Jaccard)."""
    return all(
        a == b or _jaccard(trigrams(a), trigrams(b)) >= ALIKE
        for a, b in zip(one, other, strict=True)
    )


def _jaccard(a: set[str], b: set[str]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)
