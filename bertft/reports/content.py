"""report.json: what report.html shows, as data. What a page is made of goes in, an object comes
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from bertft.evaluation.confusions import Counts, clustered, confusions, most_mistaken
from bertft.evaluation.outcomes import INPUTS
from bertft.reports.confusion_picture import CLASSES
from bertft.reports.examples import Seen
from bertft.reports.failures import slices_content, strongest
from bertft.reports.tables import CONFUSIONS, SQUARE
from bertft.reports.templating import cut
from bertft.runs.counterpart import Beside

FORMAT = 1
"""Raised when a field goes or means something else; new fields may come."""
LONGEST = 2000
"""Characters of a text."""
LABELS = 10
"""Probabilities kept of an example, the highest."""
KEPT = ("id", "label", "labels", "value", "answer", "no_answer", "score", "entities", "gold",
        "found", "rank", "of", "truncated", "source", "unknown")  # fmt: skip


def report_content(
    name: str,
    task: Mapping[str, Any],
    scores: Mapping[str, Any],
    seen: Seen,
    *,
    beside: Beside | None,
) -> dict[str, Any]:
    """The object; ``scores`` is the content of scores.json, and stands in it as it is."""
    counts = scores.get("confusion", {})
    return {
        "format": FORMAT,
        "run": name,
        "task": dict(task),
        "scores": dict(scores),
        "beside": None if beside is None else asdict(beside),
        "examples": {"n": seen.count, "wrong": seen.wrong, "unanswerable": seen.unanswerable},
        "slices": slices_content(seen.slices, seen.slices.found if seen.slices else ()),
        "words": slices_content(seen.words, strongest(seen.words)),
        "kinds": {name: asdict(one) for name, one in seen.kinds.items()},
        "confused": [asdict(one) for one in confusions(counts)[:CONFUSIONS]],
        "clustered": _order(counts),
        "errors": [_error(row) for row in seen.worst],
    }


def _order(counts: Counts) -> list[str]:
    """Of the picture; there is none of few classes."""
    few = len(counts) <= SQUARE
    return [] if few else clustered(counts, most_mistaken(counts, most=CLASSES))


def _error(row: Mapping[str, Any]) -> dict[str, Any]:
    """A wrong prediction; ``confidence`` is that of the most certain of its mistakes."""
    found: dict[str, Any] = {name: cut(str(row[name]), LONGEST) for name in INPUTS if name in row}
    found |= {name: row[name] for name in KEPT if name in row}
    if "scores" in row:
        found["scores"] = dict(list(row["scores"].items())[:LABELS])
    loss = row["loss"] if isfinite(row["loss"]) else None  # JSON has no infinity
    return found | {"loss": loss, "confidence": row["sure"]}
