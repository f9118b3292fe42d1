"""The words that all checks speak.

A check looks at Splits and tells Findings. ``Hits`` counts rows while it looks, and keeps the first
few as Places, so that a fault of every row costs no memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

HashArray = np.ndarray[tuple[int], np.dtype[np.int64]]

Severity = Literal["error", "warning", "note"]
"""``error``: training would refuse the data; ``warning``: results suffer, or deceive; ``note``."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
KEPT = 20
"""Places that a finding keeps at most."""
SHOWN = 60
"""Characters of a text that is shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found: ``line`` (of a Hub data set: the row) of ``file``, and what."""

    file: str
    line: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """``count`` of ``of`` things of a split are ``what``, a plural without a verb.

    ``code`` names the kind of finding for programs and stays what it is; ``fix`` says the way out.
    """

    severity: Severity
    code: str
    split: str
    what: str
    count: int
    of: int = 0
    fix: str = ""
    places: tuple[Place, ...] = ()

    @property
    def line(self) -> str:
        """All but the places, in one line."""
        return f"{self.split}: {self.what}: {self.amount}"

    @property
    def amount(self) -> str:
        """``12 of 400 (3.0 %)``; the count alone where it is not known of how many."""
        share = f" of {self.of:,} ({_percent(self.count, self.of)})" if self.of else ""
        return f"{self.count:,}{share}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What checks of any task look at in one example.

    ``texts`` are all texts that the model reads; ``labels`` are names to be counted; ``gold`` is
    equal where the answers are.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    gold: Hashable


@dataclass(frozen=True)
class Split:
    """The examples of one file, and the Reading of each.

    There may be millions: what several checks want to know of all of them is found out once.
    """

    name: str
    path: str
    examples: Sequence[Any]
    readings: Sequence[Reading]

    @cached_property
    def label_counts(self) -> dict[str, int]:
        """How often each label stands in it, the most frequent first."""
        counts = Counter(name for reading in self.readings for name in reading.labels)
        return dict(counts.most_common())

    @cached_property
    def hashes(self) -> HashArray:
        """[N] of the texts of each."""
        return np.fromiter((hash(one.texts) for one in self.readings), dtype=np.int64)

    @cached_property
    def by_id(self) -> bool:
        """Whether lines do not tell examples apart, as in JSON without line ends: ids are shown."""
        lines = np.fromiter((one.line for one in self.examples), dtype=np.int64)
        return len(np.unique(lines)) < len(lines)

    def place(self, index: int, text: str = "") -> Place:
        """Where an example stands; without ``text`` its own is shown."""
        shown = text or " | ".join(short(one) for one in self.readings[index].texts)
        name = f"{self.examples[index].id}: " if self.by_id else ""
        return Place(self.path, self.examples[index].line, name + shown)

    def spot(self, index: int) -> str:
        """``train:line`` of an example, or its id."""
        example = self.examples[index]
        return f"{self.name}:{example.id if self.by_id else example.line}"


@dataclass(slots=True)
class Hits:
    """Counts what was found, and keeps the first places."""

    count: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, place: Place, *, times: int = 1) -> None:
        self.count += times
        if len(self.places) < KEPT:
            self.places.append(place)

    def finding(
        self,
        severity: Severity,
        code: str,
        *,
        split: str,
        what: str,
        of: int = 0,
        fix: str = "",
    ) -> list[Finding]:
        """One Finding, or none when nothing was hit."""
        if not self.count:
            return []
        return [Finding(severity, code, split, what, self.count, of, fix, tuple(self.places))]


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of one code and split as one: counts added up, places in order."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for one in findings:
        key = (one.code, one.split, one.what)
        before = merged.get(key)
        if before is None:
            merged[key] = one
            continue
        places = (*before.places, *one.places)[:KEPT]
        count, of = before.count + one.count, before.of + one.of
        merged[key] = replace(before, count=count, of=of, places=places)
    return list(merged.values())


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors, warnings, notes; within each kind in the order in which they came."""
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))


def short(text: str, *, longest: int = SHOWN) -> str:
    """The start of a text in one line."""
    text = " ".join(text[: 4 * longest].split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _percent(count: int, of: int) -> str:
    share = 100 * count / of
    return f"{share:.1f} %" if share >= 0.1 else f"{share:.2g} %"
