"""What annotation tools export: rows as a tool writes them in, rows with our own columns out.

entities    ``id``, ``text`` and ``entities`` (loaders/entities.py reads its spans)
labels      ``id``, ``text`` and ``label``, a list where a text may have several

One module for each family; ``recognised`` finds the family by the first rows and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from bertft.loaders import Row, Table
from bertft.loaders.annotations import doccano, label_studio, prodigy, spacy
from bertft.loaders.annotations.family import Family, Marked
from bertft.loaders.source import Source

FAMILIES = (label_studio.TASKS, label_studio.MINIMAL, prodigy.SPANS, prodigy.CHOICES,
            spacy.ENTITIES, spacy.CATEGORIES, doccano.SPANS, doccano.LABELS)  # fmt: skip


def recognised(
    table: Table, source: Source, *, gold: Literal["entities", "labels"], several: bool = False
) -> tuple[Table, str]:
    """The table in our own columns, and the name of the tool that wrote it.

    A table of no tool is given back as it is, with "". ``several``: a text may have several labels.
    """
    fitting = (
        one
        for one in FAMILIES
        if one.gold in (gold, "") and _fits(one, table.first, several=several)
    )
    family = next(fitting, None)
    if family is None:
        return table, ""
    source.meter.notes.append(f"read as {family.name}")
    own = Table(
        path=table.path,
        columns=("id", "text", "entities" if gold == "entities" else "label"),
        rows=_translated(iter(table), family, source, gold=gold, several=several),
        fraction=table.fraction,
        revision=table.revision,
        first=[_identified(row, family.read(row.fields)) for row in table.first],
    )
    return own, family.name


def _identified(row: Row, marked: Marked) -> Row:
    """A row of a tool with what is told by its id alone."""
    return replace(row, fields={} if marked.id is None else {"id": marked.id})


def _fits(family: Family, rows: Sequence[Row], *, several: bool) -> bool:
    if family is doccano.LABELS and several:
        return False  # a list of labels is what such a task reads anyway
    return any(family.fits(row.fields) for row in rows)


def _translated(
    rows: Iterator[Row], family: Family, source: Source, *, gold: str, several: bool
) -> Iterator[Row]:
    for row in rows:
        marked = family.read(row.fields)
        for what, count in marked.lost.items():
            if source.gold:
                source.meter.counts[what] += count
        if marked.left_out and source.gold:
            source.meter.counts[marked.left_out] += 1
            continue
        fields = {**_identified(row, marked).fields, "text": marked.text}
        if gold == "entities":
            fields["entities"] = marked.spans
        else:
            labels = marked.labels
            fields["label"] = labels if several or len(labels) != 1 else labels[0]
            if not several and not labels and source.gold:
                source.meter.counts["texts without a label are left out"] += 1
                continue
        yield replace(row, fields=fields)
