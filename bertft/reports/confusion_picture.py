"""The confusion of many classes as a picture: counts go in, SVG for a page comes out.

Classes that are confused stand beside each other; each field is a gold class (row) and a predicted
one (column), in a colour as strong as its share of gold. Right predictions are grey.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from bertft.evaluation.confusions import Counts, clustered, confusions, most_mistaken
from bertft.reports.templating import cut, render

CLASSES = 120
"""Classes of a picture, the most mistaken."""
BUDGET = 120_000
"""Bytes of all fields; hostile names could make the page large."""
FIELD, LETTER, NAME = 11, 6, 24
"""Pixels of a field and of a letter, letters of a name."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the picture, at a column and a row."""

    x: int
    y: int
    share: float
    right: bool
    said: str


@dataclass(frozen=True, slots=True)
class Picture:
    """``order`` are the classes from top to bottom and from left to right."""

    order: list[str]
    svg: Markup
    note: str


def confusion_picture(counts: Counts) -> Picture:
    names = most_mistaken(counts, most=CLASSES)
    order = clustered(counts, names)
    place = {name: number for number, name in enumerate(order)}
    fields, size, left = [], 0, 0
    for one in confusions(counts):
        if one.gold not in place or one.predicted not in place:
            continue
        said = f"{cut(one.gold, 60)} \N{RIGHTWARDS ARROW} {cut(one.predicted, 60)}: {one.count:,}"
        size += len(Markup.escape(said).encode("utf-8", "replace")) + 80
        if size > BUDGET:
            left += 1
            continue
        fields.append(Field(place[one.predicted], place[one.gold], one.share, False, said))
    for name in order:
        total, right = sum(counts[name].values()), counts[name].get(name, 0)
        said = f"{cut(name, 60)}: {right:,} of {total:,} right"
        fields.append(Field(place[name], place[name], right / max(1, total), True, said))
    longest = max((min(len(name), NAME) for name in order), default=0)
    shown = [name if len(name) <= NAME else f"{name[: NAME - 1]}…" for name in order]
    margin = longest * LETTER + 8
    svg = render("confusion.svg.j2", names=shown, fields=fields, margin=margin, field=FIELD)
    return Picture(order, svg, _note(len(counts) - len(order), left))


def _note(classes: int, fields: int) -> str:
    said = (
        "Rows are gold labels, columns predicted ones, both in the order of a hierarchical "
        "clustering: what is confused stands together. The stronger the colour, the larger the "
        "share of gold; grey is right."
    )
    more = [f"{classes:,} less mistaken classes"] * bool(classes)
    more += [f"{fields:,} rarer confusions"] * bool(fields)
    return f"{said} Left out: {', '.join(more)}." if more else said
