"""What a report shows of predictions: lines of predictions.jsonl go in, one by one; the wrong ones
with the highest losses come out. Memory does not grow with the lines.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bertft.evaluation.answers import Scoring, exact_match

WORST = 30


@dataclass(slots=True)
class Seen:
    """What was seen of all examples.

    ``worst`` are wrong answers, that of the highest loss first; ``wrong`` is how many there are.
    ``unanswerable`` counts questions without gold.
    """

    count: int = 0
    wrong: int = 0
    unanswerable: int = 0
    worst: list[Mapping[str, Any]] = field(default_factory=list)


def look(rows: Iterable[Mapping[str, Any]], *, scoring: Scoring = "squad") -> Seen:
    """Count, and keep the worst. ``scoring`` is that of questions."""
    seen = Seen()
    heap: list[tuple[float, int, Mapping[str, Any]]] = []
    for row in rows:
        seen.count += 1
        seen.unanswerable += "question" in row and not row["gold"]
        if is_right(row, scoring=scoring):
            continue
        seen.wrong += 1
        loss = row["loss"] if math.isfinite(row["loss"]) else math.inf
        push = heapq.heappush if len(heap) < WORST else heapq.heappushpop
        push(heap, (loss, -seen.count, row))  # of equal losses, the first rows
    seen.worst = [row for _, _, row in sorted(heap, key=lambda one: one[:2], reverse=True)]
    return seen


def is_right(row: Mapping[str, Any], *, scoring: Scoring) -> bool:
    """Whether the whole answer is what gold says; a number is never exactly right but by chance."""
    gold = row["gold"]
    if "entities" in row:
        return spans(row["entities"]) == spans(gold)
    if "question" in row:
        given = "" if row["no_answer"] else row["answer"]
        return exact_match(given, gold, scoring=scoring) == 1
    if "labels" in row:
        return set(row["labels"]) == set(gold)
    return bool((row["value"] if "value" in row else row["label"]) == gold)


def spans(entities: Iterable[Mapping[str, Any]]) -> set[tuple[int, int, str]]:
    return {(one["start"], one["end"], one["label"]) for one in entities}
