"""Entities of a text out of the spans of a row, in the shapes that programs write them in.

In: a list of objects or triples, or an object of lists. Out: Entities in characters, in order,
apart; what had to be put right is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bertft.errors import DataError
from bertft.loaders.cells import read_cell, whole_number
from bertft.loaders.json_text import JsonError
from bertft.loaders.offsets import Evidence, convert, likely_units, other_units
from bertft.loaders.tagged import short
from bertft.spans import Entity

STARTS = ("start", "start_offset", "begin", "start_char", "startOffset", "offset_start")
ENDS = ("end", "end_offset", "stop", "end_char", "endOffset", "offset_end")
LABELS = ("label", "labels", "entity_group", "entity", "type", "tag", "entity_type", "class")
COVERED = ("text", "word", "value")

_ENTITY = '{"start": 0, "end": 5, "label": "PER"}'
_COUNT_HINT = "offsets count characters from 0, and the end is the first one behind it"
_TRIMMED = "entities without the white space at their ends (their offsets covered it)"
_NUMBERS = "offsets that are written as text, or as 3.0, read as whole numbers"


@dataclass(frozen=True, slots=True)
class Span:
    """A span as a row gives it: not yet in characters, perhaps with white space around."""

    start: int
    end: int
    label: str
    covered: str | None = None


@dataclass(slots=True)
class EntityReader:
    """Reads the spans of one file; ``unit`` is what their offsets count (offsets.UNITS)."""

    unit: str = "characters"
    mended: Counter[str] = field(default_factory=Counter)
    evidence: Evidence = field(default_factory=Evidence)

    def read(self, value: Any, *, text: str) -> tuple[Entity, ...]:
        """The entities of ``text``.

        Raises:
            DataError: (without a place) one is no entity of the text, or two share a character.
        """
        spans = [self._span(item) for item in self._items(value)]
        if self.unit == "characters":
            for span in spans:
                self.evidence.add(text, span.start, span.end, span.covered)
        found = sorted(self._entity(span, text=text) for span in spans)
        for one, other in pairwise(found):
            if other.start < one.end:
                what = f"two entities overlap: {one.label} ({one.start}, {one.end})"
                what += f" and {other.label} ({other.start}, {other.end})"
                raise DataError(what, hint="keep one of them")
        return tuple(found)

    def _items(self, value: Any) -> list[Any]:
        """The spans of a cell, one by one."""
        if value is None:
            self.mended["rows whose entities are null, read as rows without entities"] += 1
            return []
        value = read_list(value, what="entities", like=f"[{_ENTITY}]", objects=True)
        if not isinstance(value, Mapping):
            return list(value)
        columns = {name: cells for name, cells in value.items() if isinstance(cells, list)}
        if columns and {len(cells) for cells in columns.values()} == {len(value["start"])}:
            names = tuple(columns)
            return [
                dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
        raise DataError(
            "entities: lists of one length are needed", hint=f"write them as [{_ENTITY}]"
        )

    def _span(self, item: Any) -> Span:
        if isinstance(item, list | tuple) and len(item) in (3, 4):
            given = dict(zip(("start", "end", "label", "text"), item, strict=False))
        else:
            given = dict(item) if isinstance(item, Mapping) else {}
        names = [next((name for name in usual if name in given), "")
                 for usual in (STARTS, ENDS, LABELS)]  # fmt: skip
        if not all(names):
            raise DataError(f"{short(item)} is not an entity", hint=f"write it as {_ENTITY}")
        start, end, label = (given[name] for name in names)
        where = f"the entity ({short(start)}, {short(end)})"
        whole = whole_number(start), whole_number(end)
        if whole[0] is None or whole[1] is None:
            raise DataError(f"{where} has offsets that are no whole numbers", hint=_COUNT_HINT)
        if type(start) is not int or type(end) is not int:
            self.mended[_NUMBERS] += 1
        if isinstance(label, list) and len(label) == 1:
            label = label[0]
        name = label.strip() if isinstance(label, str) else ""
        if not name or name != " ".join(name.split()):
            hint = "a label is text in one line, such as PER"
            raise DataError(f"{where} has the label {short(label)!r}", hint=hint)
        if name != label:
            self.mended["labels without the white space around them"] += 1
        covered = next((given[key] for key in COVERED if isinstance(given.get(key), str)), None)
        return Span(whole[0], whole[1], name, covered)

    def _entity(self, one: Span, *, text: str) -> Entity:
        """The entity in characters, trimmed. Raises DataError where it is not in its text."""
        where = f"the entity ({one.start}, {one.end})"
        place = convert(text, one.start, one.end, unit=self.unit)
        other = ""
        if self.unit == "characters":
            other = other_units(likely_units(text, one.start, one.end, covered=one.covered))
        hint = other or _COUNT_HINT
        code = "shifted-offsets" if other else ""
        if place is None:
            what = f"{where} does not lie in its text of {len(text)} characters"
            raise DataError(what, hint=hint, code=code)
        start, end = place
        covered = text[start:end]
        inner = covered.strip()
        if one.covered is not None and one.covered.strip() != inner:
            if " ".join(one.covered.split()) != " ".join(inner.split()):
                what = f"{where} covers {short(covered)!r}, but its text is {short(one.covered)!r}"
                raise DataError(what, hint=hint, code=code)
        elif not inner or (covered != inner and other):
            what = f"{where} starts or ends with white space: {short(covered)!r}"
            raise DataError(what, hint=hint if other else "mark the words alone", code=code)
        if covered != inner:
            self.mended[_TRIMMED] += 1
            start += len(covered) - len(covered.lstrip())
            end = start + len(inner)
        return Entity(start, end, one.label)


def read_list(value: Any, *, what: str, like: str, objects: bool = False) -> Any:
    """A list (or an object, with ``objects``), or the one in a cell of text."""
    fault = ""
    if isinstance(value, str):
        try:
            value = read_cell(value)
        except JsonError as error:
            fault = f": {error}"
    if isinstance(value, list | tuple):
        return list(value)
    if objects and isinstance(value, Mapping) and value and isinstance(value.get("start"), list):
        return value
    raise DataError(f"no list in column '{what}'{fault}", hint=f"write it as {like}; [] for none")
