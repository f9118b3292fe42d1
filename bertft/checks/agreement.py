"""Soft labels beside labels: how far what a model (or a crowd) says agrees with whoever checked it.

In: labels of both for the rows that have them. Out: a Finding with accuracy and Cohen's kappa.
"""

from __future__ import annotations

from collections.abc import Sequence

from bertft.checks.finding import KEPT, Finding, Place, Split
from bertft.evaluation.metrics import cohen_kappa

Names = frozenset[str]


def agreement(
    split: Split, rows: Sequence[int], gold: Sequence[Names], soft: Sequence[Names]
) -> list[Finding]:
    """A note on the examples ``rows`` of a split: their labels, and what soft labels say of them.

    Labels agree where all of a text do. Kappa is that of single labels; of texts that may have
    several, that of each label of each text. Places are the first rows that differ.
    """
    if not rows:
        return []
    equal = [one == other for one, other in zip(gold, soft, strict=True)]
    names = sorted({name for one in (*gold, *soft) for name in one})
    if all(len(one) == 1 for one in (*gold, *soft)):
        ids = [[names.index(next(iter(one))) for one in said] for said in (gold, soft)]
        kappa = cohen_kappa(*ids, classes=len(names))
    else:
        ids = [[int(name in one) for one in said for name in names] for said in (gold, soft)]
        kappa = cohen_kappa(*ids, classes=2)
    what = f"labels whose soft labels say the same (Cohen's kappa {kappa:.3f})"
    differ = [place for place, same in enumerate(equal) if not same][:KEPT]
    return [
        Finding(
            "note",
            "soft-label-agreement",
            split.name,
            what,
            count=sum(equal),
            of=len(rows),
            fix="the rows shown are those that differ: look which of both is right"
            if differ
            else "",
            places=tuple(_place(split, rows[at], gold[at], soft[at]) for at in differ),
        )
    ]


def _place(split: Split, row: int, gold: Names, soft: Names) -> Place:
    label, other = (", ".join(sorted(one)) or "none" for one in (gold, soft))
    place = split.place(row)
    return Place(place.file, place.line, f"{label}, but softly {other}: {place.text}")
