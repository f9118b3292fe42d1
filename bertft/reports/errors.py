"""The most confident errors of a report: wrong predictions go in, HTML that shows them comes out.

Entities are marked in their text, once as gold has them and once as they were predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bertft.evaluation.outcomes import INPUTS, spans
from bertft.reports.examples import Seen
from bertft.reports.templating import cut, render

TEXT = 600
"""Characters shown of one text."""
MARKS = 20
"""Spans marked in one text, and golds or labels named of one example."""
BUDGET = 150_000
"""Bytes of all errors together; hostile labels could make the page large."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text; one with a ``kind`` is marked, and may have a label."""

    text: str
    kind: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph, with the name of what it shows."""

    name: str
    parts: Sequence[Part]


def worst(seen: Seen) -> tuple[str, list[Markup]]:
    """What is said of wrong predictions, and the surest of them, as far as there is room."""
    if not seen.count:
        return "", []
    if not seen.wrong:
        return "All predictions are right.", []
    shown: list[Markup] = []
    size = 0
    for row in seen.worst:
        sure = "" if row["sure"] is None else f", confidence {row['sure']:.4f}"
        told = f"loss {row['loss']:.4f}{sure}"
        one = {"id": str(row["id"]), "told": told, "lines": list(_lines(row))}
        article = render("wrong.html.j2", one=one)
        size += len(article.encode())
        if size > BUDGET:
            break
        shown.append(article)
    left = seen.wrong - len(shown)
    be = "is" if seen.wrong == 1 else "are"
    said = f"{seen.wrong:,} of {seen.count:,} predictions {be} not exactly right"
    if not shown:
        return f"{said}; predictions.jsonl has them.", []
    if len(shown) > 1:
        most = "confidence" if seen.worst[0]["sure"] is not None else "loss"
        said += f"; these have the highest {most}, the highest first" if left else f", by {most}"
    return f"{said}; {left:,} more in predictions.jsonl." if left else f"{said}.", shown


def _lines(row: Mapping[str, Any]) -> Iterator[Line]:
    if "entities" in row:
        yield from _entity_lines(row)
        return
    for name in INPUTS:
        if name in row:
            yield Line("" if name == "text" else name, [Part(cut(str(row[name]), TEXT))])
    gold = row["gold"] if isinstance(row["gold"], list) else [row["gold"]]
    sure = f" ({row['score']:.2f})" if "score" in row else ""
    yield Line("gold", _values(gold, kind="gold"))
    yield Line("predicted", [*_values(_predicted(row), kind="given"), Part(sure)])


def _values(values: Sequence[Any], *, kind: str) -> list[Part]:
    """Labels or answers, marked; those that are too many are told."""
    named = [str(one) for one in values if one != ""]
    if not named:
        return [Part("(nothing)")]
    parts = [part for one in named[:MARKS] for part in (Part(cut(one), kind), Part(" "))]
    more = len(named) - MARKS
    return parts[:-1] + ([Part(f" and {more} more")] if more > 0 else [])


def _predicted(row: Mapping[str, Any]) -> list[Any]:
    if "labels" in row:
        return list(row["labels"])
    if row.get("no_answer"):
        return []
    return [next(row[name] for name in ("answer", "label", "found", "value") if name in row)]


def _entity_lines(row: Mapping[str, Any]) -> Iterator[Line]:
    """The text twice: around the first difference, where it is long."""
    text, gold, given = row["text"], spans(row["gold"]), spans(row["entities"])
    first = min(start for start, _, _ in gold ^ given)
    start = 0 if len(text) <= TEXT else max(0, min(first - TEXT // 3, len(text) - TEXT))
    for name, found, kind in (("gold", gold, "gold"), ("predicted", given, "given")):
        yield Line(name, _marked(text, sorted(found), kind=kind, start=start))


def _marked(
    text: str, found: Sequence[tuple[int, int, str]], *, kind: str, start: int
) -> list[Part]:
    """``text`` from ``start`` with its spans marked; those in each other or too many are told."""
    stop = min(len(text), start + TEXT)
    parts, place, left = [Part("…" if start else "")], start, 0
    inside = [one for one in found if start < one[1] and one[0] < stop]
    for number, (begin, end, label) in enumerate(inside):
        begin, end = max(begin, start), min(end, stop)
        if begin < place or number >= MARKS:
            left += 1
            continue
        parts += [Part(text[place:begin]), Part(text[begin:end], kind, label)]
        place = end
    parts.append(Part(text[place:stop] + ("…" if stop < len(text) else "")))
    if left:
        parts.append(Part(f" and {left} more {'span' if left == 1 else 'spans'}"))
    return parts
