"""What kind of mistake a prediction is: gold and predicted entities, or answers, go in; kinds come
out.

Entities: those that are exactly right are set aside; the others are paired, each at most once, the
same place first, then the same type, then any overlap (as SemEval-2013 task 9 counts them;
Segura-Bedmar, Martínez and Herrero-Zazo 2013, after Chinchor and Sundheim 1993, MUC-5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bertft.evaluation.answers import Scoring, f1, normalize

Span = tuple[int, int, str]
ENTITY_KINDS = {
    "type": "the place is right, the type is not",
    "boundary": "the type is right, the place overlaps",
    "both": "another type, and the place only overlaps",
    "missed": "nothing is predicted there",
    "spurious": "there is nothing",
}
QUESTION_KINDS = {
    "no overlap": "nothing in common with a right answer",
    "partly": "something in common",
    "longer": "a right answer, and more",
    "shorter": "part of a right answer",
    "answered where there is none": "the passage does not answer it",
    "no answer where there is one": "the passage answers it",
}


def entity_mistakes(
    gold: Collection[Span], given: Collection[Span]
) -> Iterator[tuple[str, Span | None, Span | None]]:
    """(kind, gold, predicted) of each mistake in a text; None where one side has nothing."""
    wanted, found = sorted({*gold} - {*given}), sorted({*given} - {*gold})
    pairs = [
        (kind, -common, one, other)
        for one in wanted
        for other in found
        if (common := min(one[1], other[1]) - max(one[0], other[0])) > 0
        for kind in [_how(one, other)]
    ]
    order = ("type", "boundary", "both")
    for kind, _, one, other in sorted(pairs, key=lambda pair: (order.index(pair[0]), *pair[1:])):
        if one in wanted and other in found:
            wanted.remove(one)
            found.remove(other)
            yield kind, one, other
    yield from (("missed", one, None) for one in wanted)
    yield from (("spurious", None, other) for other in found)


def _how(gold: Span, given: Span) -> str:
    if gold[:2] == given[:2]:
        return "type"
    return "boundary" if gold[2] == given[2] else "both"


def question_mistake(given: str, golds: Sequence[str], *, scoring: Scoring) -> str:
    """The kind of a wrong answer; "" is none. It is compared with the gold that is most like it."""
    if not golds:
        return "answered where there is none"
    if not normalize(given, scoring=scoring):
        return "no answer where there is one"
    nearest = max(golds, key=lambda gold: f1(given, [gold], scoring=scoring))
    if not f1(given, [nearest], scoring=scoring):
        return "no overlap"
    one, other = (f" {normalize(text, scoring=scoring)} " for text in (given, nearest))
    if scoring != "squad":  # Korean answers differ by what sticks to a word
        one, other = one.strip(), other.strip()
    if other in one:
        return "longer"
    return "shorter" if one in other else "partly"
