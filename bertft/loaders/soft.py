"""Probabilities in place of gold: what the readers of soft labels, tags and answers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertft.loaders.json_text import JsonError, read_json_text

NEAR = 0.02
"""How far from 1 probabilities may add up: what rounding leaves."""
DIGITS = 6
"""Decimals of a probability that is written."""


def object_in(cell: Any) -> Mapping[str, Any] | None:
    """The object that a cell is, or holds as text (JSON); None where it is none."""
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        try:
            cell = read_json_text(cell)
        except (JsonError, ValueError):
            return None
    return cell if isinstance(cell, Mapping) else None


def is_probability(value: Any) -> bool:
    """Whether a value is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
