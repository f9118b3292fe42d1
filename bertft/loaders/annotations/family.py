"""What all families of annotations share: a text with its spans or labels, and who wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bertft.loaders.cells import read_cell
from bertft.loaders.ids import id_of
from bertft.loaders.json_text import JsonError

Fields = Mapping[str, Any]


@dataclass(slots=True)
class Marked:
    """A text as it was annotated.

    ``left_out`` says why there is no gold in it, a plural with a verb; ``lost`` counts annotations
    that have no place in ours.
    """

    text: Any
    id: Any = None
    spans: Any = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    left_out: str = ""
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Family:
    """A form of export. ``gold`` is what it holds: ``entities``, ``labels``, or "" for either."""

    name: str
    gold: str
    fits: Callable[[Fields], bool]
    read: Callable[[Fields], Marked]


def listed(value: Any) -> Any:
    """The list in a cell of CSV; any other value as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return read_cell(value)
        except JsonError:
            return value
    return value


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The list of objects that a value is; [] for anything else, also for an empty list."""
    value = listed(value)
    if isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value):
        return list(value)
    return []


def is_triples(value: Any) -> bool:
    """Whether a value is a list of [start, end, type], and more behind them perhaps."""
    value = listed(value)
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(one, list | tuple) and len(one) in (3, 4) for one in value)
    )


def identity(fields: Fields) -> Any:
    """The row's own id; None for none."""
    return id_of(fields) or None
