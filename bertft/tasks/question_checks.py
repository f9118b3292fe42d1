"""What can be amiss with questions: answers that a model cannot learn, or could never give.

In: questions with gold and their windows. Out: which answers a window holds, and Findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers import PreTrainedTokenizerBase

from bertft.checks.finding import Finding, Hits, Split, short
from bertft.contracts import Encoded
from bertft.loaders.squad import Question
from bertft.spans import compose

if TYPE_CHECKING:
    from bertft.tasks.qa import Qa

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


def question_findings(
    task: Qa, split: Split, tokenizer: PreTrainedTokenizerBase | None, *, max_length: int
) -> list[Finding]:
    """Answers in no window, inside tokens, or too long to be given; questions that are cut."""
    if tokenizer is None:
        return []
    lost, inexact, long, cut = Hits(), Hits(), Hits(), Hits()
    longest = task.options.max_answer_length
    answered = 0
    for start in range(0, len(split.examples), CHUNK):
        part = split.examples[start : start + CHUNK]
        encoded = task.encode(part, tokenizer, max_length=max_length)
        held = held_answers(part, encoded)
        dropped = {one.example: one.dropped for one in encoded if one.dropped}
        for number, example in enumerate(part):
            if number in dropped:
                note = f"{dropped[number]} tokens of: {short(example.question)}"
                cut.add(split.place(start + number, note))
            if not example.answers:
                continue
            answered += 1
            gold = short(example.answers[0].text)
            if number not in held:
                lost.add(split.place(start + number, gold))
                continue
            one = held[number]
            assert isinstance(one.target, tuple)
            if (learned := learned_text(example, one)) is not None:
                inexact.add(split.place(start + number, f"{gold!r}, learned as {short(learned)!r}"))
            if (length := one.target[1] - one.target[0] + 1) > longest:
                long.add(split.place(start + number, f"{length} tokens: {gold}"))
    return [
        *lost.finding(
            "warning",
            "answer-in-no-window",
            split=split.name,
            what="answers that no window holds whole",
            of=answered,
            mend="a larger model.max_length or task.window_overlap holds more",
        ),
        *long.finding(
            "warning",
            "long-answer",
            split=split.name,
            what=f"answers of more than {longest} tokens, which are never given",
            of=answered,
            mend="--set task.max_answer_length=N allows longer ones",
        ),
        *inexact.finding(
            "note",
            "answer-inside-token",
            split=split.name,
            what="answers that begin or end inside a token",
            of=answered,
            mend="look whether offsets are off by one; else nothing: the tokens around are learned",
        ),
        *cut.finding(
            "note",
            "cut-question",
            split=split.name,
            what="questions that are cut",
            of=len(split.examples),
            mend="--set task.max_question_length=N leaves them more room",
        ),
    ]
