"""What all families of annotations share: a text with its spans or labels, and who wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bertft.loaders.ids import id_of

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


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The list of objects that a value is; [] for anything else, also for an empty list."""
    if isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value):
        return list(value)
    return []


def identity(fields: Fields) -> Any:
    """The row's own id; None for none."""
    return id_of(fields) or None
