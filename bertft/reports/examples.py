"""What a report shows of predictions: lines of predictions.jsonl go in, one by one; the wrong ones
that the model was surest of, kinds of mistakes, slices and words come out.

Of each line a few numbers are kept and the numbers of its words; texts are kept only where shown.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertft.evaluation.answers import Scoring
from bertft.evaluation.facets import Facets
from bertft.evaluation.mistakes import (
    ENTITY_KINDS,
    QUESTION_KINDS,
    entity_mistakes,
    question_mistake,
)
from bertft.evaluation.outcomes import INPUTS, Outcome, outcome, spans
from bertft.evaluation.slices import Measure, Slices, compared
from bertft.reports.templating import cut

WORST = 30
AROUND = 40
"""Characters shown on each side of a wrong entity."""
SHOWN = 200
"""Characters shown of a text beside others."""
OF_A_KIND = 3
"""Examples shown of a kind of mistake."""


@dataclass(slots=True)
class Kind:
    """A kind of mistake: how often, and the first few of these."""

    about: str
    count: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)

    def add(self, example: dict[str, str]) -> None:
        self.count += 1
        if len(self.examples) < OF_A_KIND:
            self.examples.append(example)


@dataclass(slots=True)
class Seen:
    """What was seen of all examples.

    ``worst`` are wrong predictions, that of the highest confidence first (of numbers: that of the
    highest loss), each with its ``sure``; ``wrong`` is how many there are. ``unanswerable`` counts
    questions without gold. ``slices`` and ``words`` are two families of tests.
    """

    count: int = 0
    wrong: int = 0
    unanswerable: int = 0
    worst: list[Mapping[str, Any]] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    slices: Slices | None = None
    words: Slices | None = None


@dataclass(slots=True)
class _Scored:
    """What examples add to their score, in columns."""

    name: str = ""
    parts: array[float] = field(default_factory=lambda: array("d"))
    wholes: array[float] = field(default_factory=lambda: array("d"))

    def add(self, one: Outcome) -> None:
        self.name = one.score
        self.parts.append(one.part)
        self.wholes.append(one.whole)

    def measure(self) -> Measure:
        parts, wholes = (np.asarray(one, dtype=np.float64) for one in (self.parts, self.wholes))
        return Measure(self.name, parts, wholes, lower="error" in self.name)


def look(rows: Iterable[Mapping[str, Any]], *, scoring: Scoring = "squad") -> Seen:
    """Count, slice, and keep the worst. ``scoring`` is that of questions."""
    seen, scored, facets = Seen(), _Scored(), Facets()
    heap: list[tuple[tuple[float, float], int, Mapping[str, Any]]] = []
    for row in rows:
        seen.count += 1
        seen.unanswerable += "question" in row and not row["gold"]
        one = outcome(row, scoring=scoring)
        scored.add(one)
        _slice(facets, row, one)
        if one.right:
            continue
        seen.wrong += 1
        for kind, example in _mistakes(row, scoring=scoring):
            if kind not in seen.kinds:
                seen.kinds |= {name: Kind(about) for name, about in _kinds(row).items()}
            seen.kinds[kind].add(example)
        loss = row["loss"] if math.isfinite(row["loss"]) else math.inf
        push = heapq.heappush if len(heap) < WORST else heapq.heappushpop
        rank = (-1.0 if one.sure is None else one.sure, loss)
        push(heap, (rank, -seen.count, dict(row) | {"sure": one.sure}))  # of equals, the first
    seen.worst = [row for _, _, row in sorted(heap, key=lambda one: one[:2], reverse=True)]
    if seen.count:
        measure = scored.measure()
        seen.slices = compared(measure, facets.found())
        seen.words = compared(measure, [facets.words.facet("word")])
    return seen


def _slice(facets: Facets, row: Mapping[str, Any], one: Outcome) -> None:
    facets.add(
        "\n".join(str(row[name]) for name in INPUTS if name in row),
        labels=one.labels,
        source=str(row.get("source", "")),
        unknown=row.get("unknown", 0.0),
        truncated=bool(row.get("truncated")),
        negation="label" in row or "labels" in row,
    )


def _kinds(row: Mapping[str, Any]) -> Mapping[str, str]:
    return ENTITY_KINDS if "entities" in row else QUESTION_KINDS if "question" in row else {}


def _mistakes(row: Mapping[str, Any], *, scoring: Scoring) -> Iterator[tuple[str, dict[str, str]]]:
    """The kind of each mistake in a wrong prediction, with what shows it."""
    if "entities" in row:
        yield from _entity_mistakes(row)
    elif "question" in row:
        answer = "" if row["no_answer"] else row["answer"]
        shown = {"text": row["question"], "gold": " | ".join(row["gold"]), "predicted": answer}
        kind = question_mistake(answer, row["gold"], scoring=scoring)
        yield kind, {"id": str(row["id"])} | {key: cut(one, SHOWN) for key, one in shown.items()}


def _entity_mistakes(row: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    text = row["text"]
    for kind, *sides in entity_mistakes(spans(row["gold"]), spans(row["entities"])):
        there = [one for one in sides if one]
        first = max(0, min(start for start, _, _ in there) - AROUND)
        last = min(len(text), max(end for _, end, _ in there) + AROUND)
        around = cut("…" * (first > 0) + text[first:last] + "…" * (last < len(text)), SHOWN)
        gold, given = ("" if one is None else _named(text, *one) for one in sides)
        yield kind, {"id": str(row["id"]), "text": around, "gold": gold, "predicted": given}


def _named(text: str, start: int, end: int, label: str) -> str:
    return f"{cut(text[start:end], SHOWN)} ({label})"
