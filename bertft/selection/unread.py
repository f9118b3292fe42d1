"""Texts that no model reads: it stands where there is none yet, and knows how rows are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bertft.contracts import Answer, Task
from bertft.prediction.certainty import Rule
from bertft.prediction.predictor import in_windows
from bertft.settings import Recipe
from bertft.tasks import make_task


class Unread:
    """Answers with the text alone."""

    def __init__(self, settings: Recipe) -> None:
        self.task: Task[Any] = make_task(settings.task | {"name": "classification"})

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        return in_windows(examples, self.answer)

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        pairs = [{} if one.pair is None else {"text_pair": one.pair} for one in examples]
        return [{"id": one.id, "text": one.text} | pair
                for one, pair in zip(examples, pairs, strict=True)]  # fmt: skip
