"""Rows that belong together: what is learned from one of them gives the others away.

In: Splits. Out: a number for each row of the one split, the same for rows on one passage or premise
and for rows that stand twice, or nearly so.
"""

from __future__ import annotations

from bertft.checks import duplicates
from bertft.checks.finding import Split
from bertft.checks.near import near_repeats


def families(split: Split) -> list[int]:
    """The family of each row: the position of one of its rows."""
    fold = duplicates.Folder()
    folded = duplicates.repeats([split], key=fold)
    near = near_repeats([split], known=folded, fold=fold)
    parent = list(range(len(split.examples)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    pairs = [pair for found in (folded, near) for rows in found.values() for pair in rows.items()]
    for row, example in enumerate(split.examples):
        if example.group:
            pairs.append((row, first.setdefault(example.group, row)))
    for row, other in pairs:
        parent[root(row)] = root(other)
    return [root(row) for row in range(len(parent))]
