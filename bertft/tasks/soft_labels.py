"""Soft labels: an object of label -> probability in a cell, as a teacher's, or a crowd's votes.

The label that is learned towards is the whole of it; where one label is needed (scores on held-out
rows, counts), it is the most probable one, or those from 0.5 on where a text may have several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertft.loaders.soft import NEAR, is_probability, object_in
from bertft.tasks.label_names import Told, label_name

SOFT_COLUMN = "soft_labels"
SOFT = "labels are probabilities: all of them are learned, and the most probable is the label"


@dataclass(frozen=True, slots=True)
class Soft:
    """``names`` are the labels of the text, ``p`` the probability of each label that is told."""

    names: tuple[str, ...]
    p: Mapping[str, float]


def read_soft(cell: Any, told: Told, *, several: bool) -> Soft:
    """The probabilities in a cell. Raises ValueError (CellError) where they are none."""
    found = object_in(cell)
    if not found:
        label_name(cell if found is None else None)  # which says that it is missing, or no label
        raise ValueError("the label is no object of label -> probability, as in other rows")
    p = {label_name(name): _probability(value) for name, value in found.items()}
    total = sum(p.values())
    if not several and abs(total - 1) > NEAR:
        raise ValueError(f"the probabilities of the labels add up to {total:.4g}, not to 1")
    told[SOFT] += 1
    if several:
        return Soft(tuple(name for name, one in p.items() if one >= 0.5), p)
    best = max(p, key=lambda name: p[name])
    return Soft((best,), {name: one / total for name, one in p.items()})


def _probability(value: Any) -> float:
    if not is_probability(value):
        raise ValueError(f"the probability of a label is {value!r}, not a number from 0 to 1")
    return float(value)


def mean_labels(told: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of what several say of one text, label by label, in the order of the first."""
    return {name: sum(one[name] for one in told) / len(told) for name in told[0]}
