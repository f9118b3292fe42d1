"""spaCy's training examples: pairs of a text and ``{"entities": [[start, end, type]]}``, or
``{"cats": {...}}``; alone, in a list, or in the ``annotations`` of one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertft.loaders.annotations.family import Family, Fields, Marked, identity

_NAMES = {"entities", "cats", "spans"}


def as_records(value: Any) -> list[Any]:
    """The rows that a value of JSON stands for: a pair becomes an object, all else stays."""
    if isinstance(value, Mapping) and set(value) == {"classes", "annotations"}:
        pairs = value["annotations"]
        if isinstance(pairs, list) and any(pair is not None for pair in pairs):
            return [one for pair in pairs if pair is not None for one in as_records(pair)]
    if isinstance(value, list) and len(value) == 2:
        text, given = value
        if isinstance(text, str) and isinstance(given, Mapping) and _NAMES & set(given):
            return [{"text": text, **{name: given[name] for name in given if name != "text"}}]
    return [value]


def _fits_entities(fields: Fields) -> bool:
    spans = fields.get("entities")
    return (
        isinstance(fields.get("text"), str)
        and isinstance(spans, list)
        and bool(spans)
        and all(isinstance(one, list | tuple) and len(one) in (3, 4) for one in spans)
    )


def _read_entities(fields: Fields) -> Marked:
    return Marked(fields.get("text"), identity(fields), spans=fields.get("entities"))


def _fits_categories(fields: Fields) -> bool:
    cats = fields.get("cats")
    return isinstance(fields.get("text"), str) and isinstance(cats, Mapping) and bool(cats)


def _read_categories(fields: Fields) -> Marked:
    cats = fields.get("cats")
    cats = cats if isinstance(cats, Mapping) else {}
    labels = [
        name for name, share in cats.items() if isinstance(share, int | float) and share >= 0.5
    ]
    return Marked(fields.get("text"), identity(fields), labels=labels)


ENTITIES = Family("spaCy's training examples", "entities", _fits_entities, _read_entities)
CATEGORIES = Family("spaCy's training examples", "labels", _fits_categories, _read_categories)
