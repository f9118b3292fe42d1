"""Scores of the peer side of ``quality.py``, as fractions of one.

In: gold and found labels, tags or answers. Out: a dict of scores, after the definitions of seqeval
(strict IOB2), conlleval, KLUE and SQuAD v1.1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
Scores = dict[str, float]
Entities = set[tuple[int, int, int, str]]
"""(sentence, first unit, one past the last, type); a unit is a word or a character."""


def accuracy(gold: Sequence[str], found: Sequence[str]) -> Scores:
    hits = sum(one == other for one, other in zip(gold, found, strict=True))
    return {"accuracy": hits / len(gold)}


def entities(sentences: Sequence[Sequence[str]], *, strict: bool) -> Entities:
    """Entities of IOB2 tags. Strict: only B- opens one; else an I- with no entity to go on, too."""
    found: Entities = set()
    for number, tags in enumerate(sentences):
        begin, kind = 0, ""
        for position, tag in enumerate([*tags, "O"]):
            prefix, _, here = tag.partition("-")
            if prefix == "I" and kind == here and kind:
                continue
            if kind:
                found.add((number, begin, position, kind))
            opens = prefix == "B" or (prefix == "I" and not strict)
            begin, kind = position, here if opens else ""
    return found


def f1(gold: Entities, found: Entities) -> float:
    """Micro F1 over entities; 0 where nothing is right."""
    return 2 * len(gold & found) / (len(gold) + len(found)) if gold & found else 0.0


def entity_scores(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> Scores:
    """Strict and lenient micro F1, and the mean of the strict F1 of the types."""
    strict = entities(gold, strict=True), entities(found, strict=True)
    kinds = {entity[3] for side in strict for entity in side}
    by_type = [f1(*({e for e in side if e[3] == kind} for side in strict)) for kind in kinds]
    return {
        "f1": f1(*strict),
        "lenient_f1": f1(entities(gold, strict=False), entities(found, strict=False)),
        "macro_f1": sum(by_type) / max(1, len(by_type)),
    }


def character_scores(
    gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]], labels: Sequence[str]
) -> Scores:
    """Macro F1 over tags of characters.

    ``official`` averages over all labels with O, an absent one counting 1, as KLUE's code does; the
    other over the labels but O that occur.
    """
    pairs = Counter(
        pair
        for one, other in zip(gold, found, strict=True)
        for pair in zip(one, other, strict=True)
    )
    in_gold: Counter[str] = Counter()
    in_found: Counter[str] = Counter()
    for (tag, answer), count in pairs.items():
        in_gold[tag] += count
        in_found[answer] += count
    support = {label: in_gold[label] + in_found[label] for label in labels}
    each = {label: 2 * pairs[label, label] / n if n else 1.0 for label, n in support.items()}
    plain = [value for label, value in each.items() if label != "O" and support[label]]
    return {
        "character_macro_f1": sum(plain) / max(1, len(plain)),
        "character_macro_f1_official": sum(each.values()) / len(each),
    }


def normalised(answer: str) -> str:
    """SQuAD v1.1: lower case, without punctuation, articles and surplus blanks."""
    kept = "".join(c for c in answer.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def word_f1(gold: str, answer: str) -> float:
    """SQuAD v1.1: F1 over the words of normalised answers."""
    one, other = normalised(gold).split(), normalised(answer).split()
    common = (Counter(one) & Counter(other)).total()
    return 2 * common / (len(one) + len(other)) if common else 0.0


def answer_scores(rows: Sequence[Row], answers: Sequence[str]) -> Scores:
    """SQuAD v1.1: exact match and F1, the best over the gold answers of each question."""
    exact = total = 0.0
    for row, answer in zip(rows, answers, strict=True):
        exact += max(normalised(gold) == normalised(answer) for gold in row["answers"])
        total += max(word_f1(gold, answer) for gold in row["answers"])
    return {"exact_match": exact / len(rows), "f1": total / len(rows)}


# Logits to answers
