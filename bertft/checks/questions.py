"""What can be amiss with questions: answers that a model cannot learn, or could never give.

In: questions with gold and their windows. Out: which answers a window holds, and Findings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bertft.checks.finding import Finding, Hits, Split, short
from bertft.contracts import Encoded
from bertft.loaders.squad import Question
from bertft.spans import compose

CHUNK = 512
NO_ANSWER = (0, 0)
"""Target of a window that does not hold the answer: [CLS] as start and end."""


def held_answers(examples: Sequence[Question], encoded: Sequence[Encoded]) -> dict[int, Encoded]:
    """Example -> the first window that holds its (first) answer whole; absent where none does."""
    held: dict[int, Encoded] = {}
    for one in encoded:
        if examples[one.example].answers and one.target != NO_ANSWER:
            held.setdefault(one.example, one)
    return held


def learned_text(example: Question, one: Encoded) -> str | None:
    """What the tokens of the target say, where it is not the answer; None where it is."""
    assert isinstance(one.target, tuple)
    assert one.offsets is not None
    assert example.answers
    start, end = (int(one.offsets[one.target[side], side]) for side in (0, 1))
    first, last = compose(example.context).original(start, end)
    text = example.context[first:last]
    return None if text == example.answers[0].text else text


@dataclass(slots=True)
class Answers:
    """What is amiss with answers and questions; ``answered`` counts questions with an answer."""

    lost: Hits = field(default_factory=Hits)
    inexact: Hits = field(default_factory=Hits)
    long: Hits = field(default_factory=Hits)
    cut: Hits = field(default_factory=Hits)
    answered: int = 0


def question_findings(
    split: Split, encode: Callable[[Sequence[Question]], list[Encoded]], *, longest: int
) -> list[Finding]:
    """Answers in no window, inside tokens, or too long to be given; questions that are cut.

    ``encode`` makes the windows of questions; ``longest`` is the longest answer, in tokens.
    """
    seen = _look(split, encode, longest=longest)
    return [
        *seen.lost.finding(
            "warning",
            "answer-in-no-window",
            split=split.name,
            what="answers that no window holds whole",
            of=seen.answered,
            mend="a larger model.max_length or task.window_overlap holds more",
        ),
        *seen.long.finding(
            "warning",
            "long-answer",
            split=split.name,
            what=f"answers of more than {longest} tokens, which are never given",
            of=seen.answered,
            mend="--set task.max_answer_length=N allows longer ones",
        ),
        *seen.inexact.finding(
            "note",
            "answer-inside-token",
            split=split.name,
            what="answers that begin or end inside a token",
            of=seen.answered,
            mend="look whether offsets are off by one; else nothing: the tokens around are learned",
        ),
        *seen.cut.finding(
            "note",
            "cut-question",
            split=split.name,
            what="questions that are cut",
            of=len(split.examples),
            mend="--set task.max_question_length=N leaves them more room",
        ),
    ]


def _look(
    split: Split, encode: Callable[[Sequence[Question]], list[Encoded]], *, longest: int
) -> Answers:
    seen = Answers()
    for start in range(0, len(split.examples), CHUNK):
        part = split.examples[start : start + CHUNK]
        encoded = encode(part)
        held = held_answers(part, encoded)
        dropped = {one.example: one.dropped for one in encoded if one.dropped}
        for number, example in enumerate(part):
            if number in dropped:
                note = f"{dropped[number]} tokens of: {short(example.question)}"
                seen.cut.add(split.place(start + number, note))
            if not example.answers:
                continue
            seen.answered += 1
            gold = short(example.answers[0].text)
            if number not in held:
                seen.lost.add(split.place(start + number, gold))
                continue
            one = held[number]
            assert isinstance(one.target, tuple)
            if (learned := learned_text(example, one)) is not None:
                shown = f"{gold!r}, learned as {short(learned)!r}"
                seen.inexact.add(split.place(start + number, shown))
            length = one.target[1] - one.target[0] + 1
            if length > longest:
                seen.long.add(split.place(start + number, f"{length} tokens: {gold}"))
    return seen
