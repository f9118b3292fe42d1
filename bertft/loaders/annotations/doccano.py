"""doccano's JSON lines: a list of [start, end, type] in ``label`` or ``labels``, or objects with
``start_offset`` in ``entities`` (with relations) or ``annotations``; for classification the labels
of a text in ``label``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from bertft.loaders.annotations.family import Family, Fields, Marked, identity, objects

COLUMNS = ("label", "labels", "entities", "annotations")


def _is_triple(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(isinstance(part, int | float | str) for part in value)
        and not (isinstance(value[0], str) and isinstance(value[1], str))
    )


def _spans(value: Any) -> bool:
    """Whether a value holds spans as doccano writes them."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(map(_is_triple, value)) or all(
        "start_offset" in one for one in objects(value) or [{}]
    )


def _column(fields: Fields) -> str:
    """The column of the spans: the one that holds some, else one that is there."""
    held = [name for name in COLUMNS if name in fields]
    return next((name for name in held if _spans(fields[name])), held[0] if held else "")


def _fits_spans(fields: Fields) -> bool:
    """``entities`` with triples alone is spaCy's."""
    return isinstance(fields.get("text"), str) and any(
        _spans(fields.get(name)) and not (name == "entities" and _is_triple(fields[name][0]))
        for name in COLUMNS
    )


def _read_spans(fields: Fields) -> Marked:
    lost = Counter({"relations between entities are left out": len(fields.get("relations") or ())})
    spans = fields.get(_column(fields), [])
    return Marked(fields.get("text"), identity(fields), spans=spans, lost=+lost)


def _labels(fields: Fields) -> Any:
    return fields.get("label", fields.get("labels"))


def _fits_labels(fields: Fields) -> bool:
    given = _labels(fields)
    listed = isinstance(given, list | tuple) and bool(given)
    return (
        isinstance(fields.get("text"), str)
        and listed
        and all(isinstance(one, str) for one in given)
    )


def _read_labels(fields: Fields) -> Marked:
    given = _labels(fields)
    labels = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
    return Marked(fields.get("text"), identity(fields), labels=labels)


SPANS = Family("doccano's JSON lines", "entities", _fits_spans, _read_spans)
LABELS = Family("doccano's JSON lines (labels in lists)", "labels", _fits_labels, _read_labels)
