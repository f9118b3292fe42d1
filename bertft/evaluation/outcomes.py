"""What a line of predictions.jsonl is worth: one goes in; whether it is right, what it adds to the
score, and how sure the model was of what is wrong in it come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bertft.evaluation.answers import Scoring, exact_match

INPUTS = ("text", "text_pair", "sentence1", "sentence2", "premise", "hypothesis", "question")
"""What a model was asked, in a line of predictions.jsonl."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``part`` of ``whole`` is what it adds to ``score``; ``sure`` is the probability of the most
    certain of its mistakes, None where there is none. ``labels`` are the gold ones."""

    score: str
    right: bool
    part: float
    whole: float = 1.0
    sure: float | None = None
    labels: tuple[str, ...] = ()


def outcome(row: Mapping[str, Any], *, scoring: Scoring) -> Outcome:
    """``scoring`` is that of questions. A number is never exactly right but by chance."""
    if "entities" in row:
        return _of_entities(row)
    if "question" in row:
        given = "" if row["no_answer"] else row["answer"]
        right = exact_match(given, row["gold"], scoring=scoring) == 1
        return Outcome("exact_match", right, float(right), sure=_wrong(row, right))
    if "labels" in row:
        return _of_labels(row)
    if "rank" in row:
        return Outcome("recall@1", row["rank"] == 1, float(row["rank"] == 1))
    if "value" in row:
        error = abs(row["value"] - row["gold"])
        return Outcome("mean absolute error", error == 0, error)
    right = row["label"] == row["gold"]
    if row.get("out_of_scope") and row["gold"] not in row["scores"]:
        right = True  # it was to be refused, and is
    return Outcome(
        "accuracy", right, float(right), sure=_wrong(row, right), labels=(str(row["gold"]),)
    )


def spans(entities: Iterable[Mapping[str, Any]]) -> set[tuple[int, int, str]]:
    return {(one["start"], one["end"], one["label"]) for one in entities}


def _wrong(row: Mapping[str, Any], right: bool) -> float | None:
    return None if right else row.get("score")


def _of_entities(row: Mapping[str, Any]) -> Outcome:
    """Strict: what was repaired counts as none."""
    gold, given = spans(row["gold"]), spans(row["entities"])
    strict = spans(one for one in row["entities"] if not one.get("repaired"))
    sure = [
        one.get("score", 0.0)
        for one in row["entities"]
        if (one["start"], one["end"], one["label"]) not in gold
    ]
    labels = tuple(sorted({label for *_, label in gold}))
    part, whole = 2.0 * len(strict & gold), float(len(strict) + len(gold))
    return Outcome("f1", gold == given, part, whole, max(sure, default=None), labels)


def _of_labels(row: Mapping[str, Any]) -> Outcome:
    gold, given, scores = set(row["gold"]), set(row["labels"]), row["scores"]
    sure = [scores.get(name, 0.0) for name in given - gold]
    sure += [1 - scores.get(name, 0.0) for name in gold - given]
    part, whole = 2.0 * len(gold & given), float(len(gold) + len(given))
    labels = tuple(sorted(gold))
    return Outcome("micro_f1", gold == given, part, whole, max(sure, default=None), labels)
