"""Labels: how often each stands where. In: Splits. Out: counts, and Findings about their balance.

Tasks whose Readings have no labels (regression, questions) have nothing to be found here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from bertft.checks.finding import Finding, Hits, Place, Split, short

FEW = 5
"""A label with fewer examples in the training data is rare."""
TRAIN = "train"
IGNORED = "\ufe0e\ufe0f"
"""Marks that choose how an emoji is drawn."""


def majority(split: Split) -> float | None:
    """Accuracy of always answering the most frequent label; None where rows have not one each."""
    if not split.readings or any(len(one.labels) != 1 for one in split.readings):
        return None
    return max(split.label_counts.values()) / len(split.readings)


def label_findings(splits: Sequence[Split]) -> list[Finding]:
    """Labels that only some splits have; labels with few examples in train."""
    counts = {split.name: split.label_counts for split in splits}
    if TRAIN not in counts:
        return []
    findings: list[Finding] = []
    train = next(split for split in splits if split.name == TRAIN)
    for split in splits:
        if split.name == TRAIN or not counts[split.name] or not counts[TRAIN]:
            continue
        findings += _missing(
            split,
            [name for name in counts[split.name] if name not in counts[TRAIN]],
            "label-not-in-train",
            what="labels that train does not have",
            fix="a model cannot give a label it never saw: add rows to train",
        )
        findings += _missing(
            train,
            [name for name in counts[TRAIN] if name not in counts[split.name]],
            f"label-not-in-{split.name}",
            what=f"labels that {split.name} does not have",
            fix=f"how well they are found cannot be told: add rows to {split.name}",
        )
    findings += near_equal(train)
    few = [name for name, count in counts[TRAIN].items() if count < FEW]
    return findings + _missing(
        train,
        few,
        "rare-label",
        what=f"labels with fewer than {FEW} examples",
        fix="add rows; or is it a misspelling, or a part of another label?",
    )


def near_equal(split: Split) -> list[Finding]:
    """A warning about names that differ only in case, signs at the end, or how words are joined."""
    counts = split.label_counts
    alike: dict[str, list[str]] = {}
    for name in counts:
        alike.setdefault(folded_name(name), []).append(name)
    groups = [names for names in alike.values() if len(names) > 1]
    if not groups:
        return []
    shown = "; ".join(" and ".join(f"'{short(name)}'" for name in names) for names in groups[:3])
    what = f"labels that are spelled almost alike ({shown}{'; ...' * (len(groups) > 3)})"
    fix = """one label? --set 'task.label_aliases={"OTHER SPELLING" = "LABEL"}', or fix the file"""
    names = [name for group in groups for name in group]
    return _missing(split, names, "near-equal-labels", what=what, fix=fix)


def folded_name(name: str) -> str:
    """A name without case, marks that cannot be seen, signs at its end, joints of its words."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    folded = "".join(c for c in folded if c not in IGNORED and unicodedata.category(c) != "Cf")
    joined = re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", " ", folded).strip()
    return joined.rstrip(".,;:!?") or joined


def _missing(
    split: Split, names: Sequence[str], code: str, *, what: str, fix: str
) -> list[Finding]:
    """A warning about labels of ``split``, each with the first row that has it."""
    if not names:
        return []
    counts = split.label_counts
    wanted = dict.fromkeys(names, 0)
    first: dict[str, int] = {}
    for index, reading in enumerate(split.readings):
        for name in reading.labels:
            if name in wanted:
                first.setdefault(name, index)
    hits = Hits()
    for name in names:
        times = f"{counts[name]} time" + "s" * (counts[name] != 1)
        place = split.place(first[name])
        hits.add(Place(place.file, place.line, f"'{name}', {times}"))
    return hits.finding("warning", code, split=split.name, what=what, of=len(counts), fix=fix)
