"""Ways to slice examples: what is known of each goes in, one example after the other; facets for
slices.py come out.

Lengths by quarters of the examples, source, gold label, unknown tokens, truncation, negation, and
the words of the texts.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bertft.evaluation.slices import Facet

QUARTERS = 4
MUCH = 0.1
"""Share of unknown tokens that is much."""
WORD = re.compile(r"\w+(?:['’]\w+)*")
NO = frozenset((
    "not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot",
    "without", "hardly", "barely", "dont", "doesnt", "didnt", "isnt", "wasnt", "wont", "cant",
    "couldnt", "wouldnt", "shouldnt", "n't", "안", "못",
))  # fmt: skip
"""English words as NLTK's mark_negation has them, and a few more; Korean ones that stand alone."""
NO_INSIDE = re.compile(
    r"n['’]t\b|않|없|아니|아닌|아닙|아녔|못하|못한|못할|못해|못했"
    r"|지\s?마(?=[라세요시\W]|$)|지\s?말(?=[고라아자])"
)
"""What negates inside of words: English n't; the Korean stems of -지 않다, 없다, 아니다, -지 못하다
and -지 말다."""


def words_of(text: str) -> set[str]:
    """Each word once, in lower case and without punctuation; Korean ones with their particles."""
    return set(WORD.findall(text))


def is_negated(text: str, words: set[str]) -> bool:
    """Whether a text in lower case, of these words, has one of negation, English or Korean; what it
    negates is not looked at."""
    return not NO.isdisjoint(words) or bool(NO_INSIDE.search(text))


@dataclass(slots=True)
class Names:
    """Slices by name, of which an example may be in several; numbers take little room."""

    ids: dict[str, int] = field(default_factory=dict)
    examples: array[int] = field(default_factory=lambda: array("i"))
    slices: array[int] = field(default_factory=lambda: array("i"))

    def add(self, example: int, names: Iterable[str]) -> None:
        """An example with its names, each once."""
        ids = self.ids
        found = [ids.setdefault(name, len(ids)) for name in names]
        self.slices.extend(found)
        self.examples.extend([example] * len(found))

    def facet(self, kind: str) -> Facet:
        columns = [np.asarray(one, dtype=np.int64) for one in (self.examples, self.slices)]
        return Facet(kind, tuple(self.ids), *columns)


@dataclass(slots=True)
class Facets:
    """What is gathered of the examples. ``labels`` are several where texts have several."""

    lengths: array[int] = field(default_factory=lambda: array("i"))
    named: dict[str, Names] = field(default_factory=dict)
    words: Names = field(default_factory=Names)

    def add(
        self,
        text: str,
        *,
        labels: Iterable[str],
        source: str,
        unknown: float,
        truncated: bool,
        negation: bool,
    ) -> None:
        """``negation``: whether words of negation are of interest."""
        example = len(self.lengths)
        self.lengths.append(len(text))
        self._name("gold label", example, labels)
        self._name("source", example, [source] if source else [])
        none, some = "none", f"up to {MUCH:.0%}"
        share = none if not unknown else some if unknown <= MUCH else f"over {MUCH:.0%}"
        self._name("[UNK] tokens", example, [share])
        self._name("truncated", example, ["yes" if truncated else "no"])
        text = unicodedata.normalize("NFC", text).lower()
        words = words_of(text)
        if negation:
            negated = is_negated(text, words)
            self._name("negation", example, ["with" if negated else "without"])
        self.words.add(example, words)

    def _name(self, kind: str, example: int, names: Iterable[str]) -> None:
        if kind not in self.named:
            self.named[kind] = Names()
        self.named[kind].add(example, names)

    def found(self) -> list[Facet]:
        """All but the words; those with one slice only tell nothing."""
        named = [one.facet(kind) for kind, one in self.named.items()]
        return [one for one in (_by_length(self.lengths), *named) if len(one.names) > 1]


def _by_length(lengths: Sequence[int]) -> Facet:
    """Quarters of the examples by their characters; fewer where many are equally long."""
    values = np.asarray(lengths, dtype=np.int64)
    if not len(values):
        return Facet("length", (), values, values)
    edges = np.unique(np.quantile(values, np.arange(1, QUARTERS) / QUARTERS, method="lower"))
    slices = np.searchsorted(edges, values, side="left")  # up to an edge, it included
    found, slices = np.unique(slices, return_inverse=True)
    spans = [values[slices == index] for index in range(len(found))]
    names = [f"{one.min():,} to {one.max():,} characters" for one in spans]
    return Facet("length", names, np.arange(len(values)), slices)
