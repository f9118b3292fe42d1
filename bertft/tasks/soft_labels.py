"""Soft labels: an object of label -> probability in a cell, as a teacher's, or a crowd's votes.

The label that is learned towards is the whole of it; where one label is needed (scores on held-out
rows, counts), it is the most probable one, or those from 0.5 on where a text may have several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertft.loaders.json_text import JsonError, read_json_text
from bertft.tasks.label_names import Told, label_name

NEAR = 0.02
"""How far from 1 probabilities may add up: what rounding leaves."""
SOFT = "labels are probabilities: all of them are learned, and the most probable is the label"


@dataclass(frozen=True, slots=True)
class Soft:
    """``names`` are the labels of the text, ``p`` the probability of each label that is told."""

    names: tuple[str, ...]
    p: Mapping[str, float]


def object_in(cell: Any) -> Mapping[str, Any] | None:
    """The object that a cell is, or holds as text (JSON); None where it is none."""
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        try:
            cell = read_json_text(cell)
        except (JsonError, ValueError):
            return None
    return cell if isinstance(cell, Mapping) else None


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
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"the probability of a label is {value!r}, not a number from 0 to 1")
    return float(value)
