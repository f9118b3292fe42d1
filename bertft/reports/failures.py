"""Where a model fails, as tables: slices, words and kinds of mistakes go in, rows of text come out;
and the same as data, for report.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bertft.evaluation.slices import LEAST, LEVEL, Side, Slice, Slices
from bertft.reports.examples import Kind
from bertft.reports.tables import Table

OF_A_FACET = 8
"""Slices shown of one way to slice, beside those that are clearly worse."""
MOST = 40
"""Slices shown in all, and words kept for report.json."""
WORDS = 15


@dataclass(frozen=True, slots=True)
class KindTable:
    """A kind of mistake and its examples."""

    heading: str
    examples: Table


def slices_table(slices: Slices | None) -> Table:
    """Slice beside the rest; of ways with many slices those with the smallest p."""
    if slices is None or not slices.found:
        return Table()
    shown: list[Slice] = []
    for _, group in groupby(slices.found, key=lambda one: one.kind):
        facet = list(group)
        few = sorted(facet, key=lambda one: one.p)[:OF_A_FACET]
        kept = few if len(facet) > OF_A_FACET else facet
        shown += kept + [one for one in facet if one.worse and one not in kept]
    shown = shown[:MOST]
    rows = [[f"{one.kind}: {one.name}{_mark(one)}", *_row(one)] for one in shown]
    return Table(_header("slice", slices), rows, "many", _notes(slices, "slice", len(shown)))


def words_table(words: Slices | None) -> Table:
    """The words whose texts have a lower score, the smallest p first."""
    found = [one for one in strongest(words) if one.p < LEVEL][:WORDS]
    if words is None or not found:
        return Table()
    rows = [[f"{one.name}{_mark(one)}", *_row(one)] for one in found]
    first = f"Shown are words of which p is below {LEVEL:g} before it is adjusted."
    notes = [*_notes(words, "word", len(found)), first]
    return Table(_header("word", words), rows, "many", notes)


def strongest(words: Slices | None) -> list[Slice]:
    """The words that go most clearly with mistakes; and those that are clearly worse."""
    if words is None:
        return []
    order = sorted(words.found, key=lambda one: (one.p, one.name))
    return order[: max(MOST, len(words.worse))]


def kinds_table(kinds: Mapping[str, Kind]) -> Table:
    total = sum(one.count for one in kinds.values())
    if not total:
        return Table()
    rows = [
        [name, one.about, f"{one.count:,}", f"{one.count / total:.0%}"]
        for name, one in kinds.items()
    ]
    return Table(["kind", "what it is", "count", "of all"], rows, "pairs")


def kind_examples(kinds: Mapping[str, Kind]) -> list[KindTable]:
    header = ["text", "gold", "predicted"]
    return [
        KindTable(
            f"{name}: the first {len(kind.examples)} of {kind.count:,}",
            Table(header, [[one[column] for column in header] for one in kind.examples], "left"),
        )
        for name, kind in kinds.items()
        if kind.examples
    ]


def slices_content(slices: Slices | None, found: Sequence[Slice]) -> dict[str, Any]:
    """For report.json: how many were looked at, and each of ``found``."""
    if slices is None:
        return {}
    return {
        "score": slices.score,
        "least": LEAST,
        "looked_at": len(slices.found),
        "overall": _side(slices.overall),
        "silent": slices.silent,
        "found": [
            {
                "kind": one.kind,
                "name": one.name,
                **_side(one.own),
                "rest": _side(one.rest),
                "p": one.p,
                "p_holm": one.p_holm,
                "worse": one.worse,
            }
            for one in found
        ],
    }


def _side(one: Side) -> dict[str, float]:
    return {"n": one.n, "value": one.value, "low": one.low, "high": one.high}


def _header(what: str, slices: Slices) -> list[str]:
    return [what, "n", slices.score, "95 % CI", "the rest", "p (Holm)"]


def _mark(one: Slice) -> str:
    return " (worse)" if one.worse else ""


def _row(one: Slice) -> list[str]:
    between = f"{one.own.low:.3f} to {one.own.high:.3f}"
    chance = f"{one.p_holm:.3f}" if one.p_holm >= 0.001 else "< 0.001"
    return [f"{one.own.n:,}", f"{one.own.value:.3f}", between, f"{one.rest.value:.3f}", chance]


def _notes(slices: Slices, what: str, shown: int) -> list[str]:
    """How many were looked at: of many something always looks bad by chance."""
    count, worse = len(slices.found), len(slices.worse)
    those = f"1 {what}" if count == 1 else f"{count:,} {what}s"
    been = "was" if count == 1 else "were"
    be = "is" if worse == 1 else "are"
    said = (
        f"{those} with {LEAST} examples or more {been} looked at, and {worse or 'none'} {be} "
        "clearly worse than the rest: the intervals are apart, and p, adjusted for all of them "
        f"(Holm), is below {LEVEL:g}."
    )
    if left := count - shown:
        said += f" {left:,} {'is' if left == 1 else 'are'} not shown."
    if slices.silent:
        said += f" {slices.silent:,} without anything gold or predicted do not count."
    return [said]
