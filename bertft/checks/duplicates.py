"""Rows that stand twice, within a split or in two of them, and rows that contradict each other.

In: Splits. A row is all texts that the model reads, gold aside. Three nets, each finer than the one
before, and each tells only what the one before did not: exact, folded (composed, without case,
spaces squeezed), near (near.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np

from bertft.checks.finding import Finding, Hits, Split, short

Texts = tuple[str, ...]
Repeats = dict[tuple[str, str], dict[int, int]]
"""(split, split or one before it) -> rows of the first, each with the row of the second that it
repeats."""

ON_PURPOSE = "nothing, if they differ on purpose (a negation, another number): keep both"
"""Of rows that are nearly the same, and have other gold."""
TOGETHER = "nothing: rows on one passage or premise are alike; keep one of two that mean the same"
"""Of rows that are nearly the same beside the text that they share."""
LEAK = "take them out of one of the two: scores on what was learned by heart deceive"
INSIDE = "keep one of each, unless they are as frequent in what the model will read"


class Folder:
    """Texts as they compare: composed (NFC), case-folded, white space squeezed. Each once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, texts: Texts) -> Texts:
        return tuple(self._fold(text) for text in texts)

    def _fold(self, text: str) -> str:
        known = self._known.get(text)
        if known is None:
            known = folded(text)
            # One object for both where they are equal, as most texts of most data are.
            known = self._known[text] = text if known == text else known
        return known


def folded(text: str) -> str:
    """Composed, case-folded, white space squeezed."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def itself(texts: Texts) -> Texts:
    """The key of rows that are the same word for word."""
    return texts


def may_repeat(
    splits: Sequence[Split], *, key: Callable[[Texts], Hashable] = itself
) -> list[list[int]]:
    """Of each split the rows whose key may stand in another row: all that do, and hardly more.

    Hashes are compared (8 bytes a row), so that the keys of single rows need not be kept.
    """
    hashes = [
        split.hashes
        if key is itself
        else np.fromiter((hash(key(one.texts)) for one in split.readings), dtype=np.int64)
        for split in splits
    ]
    if not hashes:
        return []
    sorted_hashes = np.sort(np.concatenate(hashes))
    several = np.unique(sorted_hashes[1:][sorted_hashes[1:] == sorted_hashes[:-1]])
    return [np.flatnonzero(np.isin(own, several)).tolist() for own in hashes]


def repeats(splits: Sequence[Split], *, key: Callable[[Texts], Hashable] = itself) -> Repeats:
    """Rows whose key an earlier row of their split has, or a row of a split before theirs."""
    found: Repeats = {}
    before: list[tuple[str, dict[Hashable, int]]] = []
    for split, rows in zip(splits, may_repeat(splits, key=key), strict=True):
        own: dict[Hashable, int] = {}
        for index in rows:
            value = key(split.readings[index].texts)
            for name, known in before:
                if value in known:
                    found.setdefault((split.name, name), {})[index] = known[value]
            if value in own:
                found.setdefault((split.name, split.name), {})[index] = own[value]
            else:
                own[value] = index
        before.append((split.name, own))
    return found


def without(finer: Repeats, coarser: Repeats) -> Repeats:
    """What the finer net caught beyond the coarser one."""
    return {
        pair: {row: other for row, other in rows.items() if row not in coarser.get(pair, ())}
        for pair, rows in finer.items()
    }


KINDS = {
    "duplicate": "word for word",
    "folded-duplicate": "but for case and spaces",
    "near-duplicate": "nearly (0.8 of their character trigrams)",
}


def near_findings(splits: Sequence[Split], found: Repeats) -> list[Finding]:
    """As repeat_findings, for rows that are nearly the same: some of them are meant to be.

    Those with other gold (a question and its negation) and those that share their passage or their
    premise are told apart from copies, and what is said of them fits.
    """
    by_name = {split.name: split for split in splits}
    kinds: dict[str, Repeats] = {"twin": {}, "sibling": {}, "near-duplicate": {}}
    for (name, other), rows in found.items():
        for row, first in rows.items():
            kind = _kinship(by_name[name], row, by_name[other], first)
            kinds[kind].setdefault((name, other), {})[row] = first
    told = repeat_findings(splits, kinds["near-duplicate"], code="near-duplicate")
    for kind, code, what, fix in (
        ("twin", "near-twin", "with other gold", ON_PURPOSE),
        ("sibling", "near-sibling", "on the same passage or premise", TOGETHER),
    ):
        for one in repeat_findings(splits, kinds[kind], code="near-duplicate"):
            inside = one.code == "near-duplicate"
            told.append(
                replace(
                    one,
                    severity="note",
                    code=code if inside else f"{code}-across",
                    what=f"{one.what}, {what}",
                    fix=fix,
                )
            )
    return told


def _kinship(split: Split, row: int, other: Split, first: int) -> str:
    gold, before = split.readings[row].gold, other.readings[first].gold
    if gold != before and not isinstance(gold, float):  # numbers of equal texts differ, too
        return "twin"
    group = split.examples[row].group
    return "sibling" if group and group == other.examples[first].group else "near-duplicate"


def repeat_findings(splits: Sequence[Split], found: Repeats, *, code: str) -> list[Finding]:
    """Notes for repeated rows of a split, warnings for rows of another split.

    ``code`` is one of KINDS; across splits it becomes ``duplicate-across`` and so on.
    """
    by_name = {split.name: split for split in splits}
    findings: list[Finding] = []
    for (name, other), rows in found.items():
        split, source, hits = by_name[name], by_name[other], Hits()
        for row, first in rows.items():
            spot = source.spot(first)
            texts = (source.readings[first].texts, split.readings[row].texts)
            shown = "" if texts[0] == texts[1] else f" ({_shown(texts[0])})"
            hits.add(split.place(row, f"{_shown(texts[1])} = {spot}{shown}"))
        inside = name == other
        what = f"rows that repeat an earlier one, {KINDS[code]}"
        findings += hits.finding(
            "note" if inside else "warning",
            code if inside else f"{code}-across",
            split=name,
            what=what if inside else f"rows that are also in {other}, {KINDS[code]}",
            of=len(split.readings),
            fix=INSIDE if inside else LEAK,
        )
    return findings


def _shown(texts: Texts) -> str:
    return " | ".join(short(text) for text in texts)


def exact_duplicates(splits: Sequence[Split]) -> list[Finding]:
    """Findings about rows that stand twice, word for word."""
    return repeat_findings(splits, repeats(splits), code="duplicate")


def shared_groups(splits: Sequence[Split]) -> list[Finding]:
    """Rows of dev and test whose group (premise, passage) a split before theirs has as well."""
    findings: list[Finding] = []
    before: list[tuple[str, set[str]]] = []
    for split in splits:
        for name, known in before:
            hits = Hits()
            for index, example in enumerate(split.examples):
                if example.group and example.group in known:
                    hits.add(split.place(index, short(example.group)))
            findings += hits.finding(
                "warning",
                "shared-passage",
                split=split.name,
                what=f"rows whose premise or passage is also in {name}",
                of=len(split.examples),
                fix="split by premise or passage, so that all rows of one are in one split",
            )
        before.append((split.name, {example.group for example in split.examples}))
    return findings


def conflicts(splits: Sequence[Split]) -> list[Finding]:
    """Rows that read the same as an earlier row, of any split, and have other gold."""
    first: dict[Texts, tuple[Split, int]] = {}
    findings: list[Finding] = []
    for split, rows in zip(splits, may_repeat(splits), strict=True):
        hits = Hits()
        for index in rows:
            reading = split.readings[index]
            known, row = first.setdefault(reading.texts, (split, index))
            before = known.readings[row]
            if before.gold != reading.gold:
                golds = f"{_gold(reading.gold)} here, {_gold(before.gold)} in {known.spot(row)}"
                hits.add(split.place(index, f"{_shown(reading.texts)}: {golds}"))
        findings += hits.finding(
            "warning",
            "conflict",
            split=split.name,
            what="rows that read as an earlier one, with other gold",
            of=len(split.readings),
            fix="decide which is right: nothing can be learned from both",
        )
    return findings


def _gold(gold: Hashable) -> str:
    if isinstance(gold, frozenset):
        return ", ".join(sorted(map(str, gold))) or "nothing"
    return short(str(gold))
