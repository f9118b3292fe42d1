"""Prodigy's JSON lines, and spaCy's spans: ``spans`` with start, end and label, an ``answer``.

Only what was accepted is gold: rejected and ignored examples are left out and counted. For
classification ``accept`` lists the chosen options, or ``label`` names the one that was asked for.
"""

from __future__ import annotations

from typing import Any

from bertft.loaders.annotations.family import Family, Fields, Marked, identity, objects

REFUSED = "texts whose answer is 'reject' or 'ignore' are left out"


def _start(fields: Fields) -> Marked:
    marked = Marked(fields.get("text"), identity(fields))
    if fields.get("answer") in ("reject", "ignore"):
        marked.left_out = REFUSED
    return marked


def _fits_spans(fields: Fields) -> bool:
    spans = objects(fields.get("spans"))
    known = isinstance(fields.get("spans"), list) and (
        "answer" in fields or "_input_hash" in fields
    )
    return isinstance(fields.get("text"), str) and (
        known or (bool(spans) and all("start" in one and "label" in one for one in spans))
    )


def _read_spans(fields: Fields) -> Marked:
    marked = _start(fields)
    marked.spans = fields.get("spans", [])
    if relations := fields.get("relations"):
        marked.lost["relations between entities are left out"] = len(relations)
    return marked


def _fits_choices(fields: Fields) -> bool:
    decided = fields.get("answer") in ("accept", "reject", "ignore")
    chosen = isinstance(fields.get("accept"), list) or isinstance(fields.get("label"), str)
    return isinstance(fields.get("text"), str) and decided and chosen


def _read_choices(fields: Fields) -> Marked:
    marked = _start(fields)
    accepted: Any = fields.get("accept")
    marked.labels = list(accepted) if isinstance(accepted, list) else [fields.get("label")]
    return marked


SPANS = Family("spans as Prodigy and spaCy write them", "entities", _fits_spans, _read_spans)
CHOICES = Family("Prodigy's JSON lines", "labels", _fits_choices, _read_choices)
