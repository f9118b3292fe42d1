"""Whether two predictors answer alike: their answers to the same examples in, figures out."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bertft.contracts import Answer, Task
from bertft.evaluation.statistic import LOWER


@dataclass(frozen=True, slots=True)
class Parity:
    """How far answers agree with those of the model they are to equal.

    ``equal`` is the share of answers that say the same (labels, spans); None for numbers, of which
    ``largest`` tells the difference. ``largest`` is otherwise that of probabilities of answers
    that say the same. ``expected`` and ``score`` are values of ``metric``.
    """

    examples: int
    equal: float | None
    largest: float
    metric: str
    expected: float
    score: float

    @property
    def loss(self) -> float:
        """Points (hundredths) of the score that are lost; below 0 where it has risen."""
        lost = self.expected - self.score
        return round(100 * (-lost if self.metric in LOWER else lost), 9)  # 0.3 is 0.3

    def content(self) -> dict[str, Any]:
        return asdict(self) | {"loss": self.loss}


def compare(
    task: Task[Any],
    examples: Sequence[Any],
    expected: Sequence[Answer],
    found: Sequence[Answer],
    *,
    metric: str = "",
) -> Parity:
    """The figures of answers with all their probabilities (``top_k`` None), in the same order."""
    pairs = list(zip(expected, found, strict=True))
    alike = [said(a) == said(b) for a, b in pairs]
    differences = [
        abs(x - y)
        for (a, b), same in zip(pairs, alike, strict=True)
        if same
        for x, y in zip(_figures(a), _figures(b), strict=True)
    ]
    main = metric or task.metric
    scores = [task.score(examples, answers).values[main] for answers in (expected, found)]
    has_words = not any("value" in one for one in expected)
    return Parity(
        examples=len(pairs),
        equal=sum(alike) / len(alike) if has_words else None,
        largest=max(differences, default=0.0),
        metric=main,
        expected=float(scores[0]),
        score=float(scores[1]),
    )


def said(answer: Answer) -> Hashable:
    """What an answer says, apart from probabilities; () of a number."""
    if "entities" in answer:
        return tuple((one["start"], one["end"], one["label"]) for one in answer["entities"])
    if "labels" in answer:
        return tuple(sorted(answer["labels"]))
    if "no_answer" in answer:
        return (answer["start"], answer["end"], answer["no_answer"])
    return (answer["label"],) if "label" in answer else ()


def _figures(answer: Answer) -> Iterator[float]:
    """The figures of an answer, in an order that what it says alone decides."""
    if "entities" in answer:
        yield from (one["score"] for one in answer["entities"])
    elif "scores" in answer:
        yield from (answer["scores"][name] for name in sorted(answer["scores"]))
    else:
        yield float(answer["value"] if "value" in answer else answer["score"])
