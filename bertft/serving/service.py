"""What every dialect asks: texts in, answers of ``bertft predict`` or vectors out, by one queue.

What cannot be met is refused (refused.py): no model of that name, too many texts, a text without
words, a queue that is full.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bertft.contracts import Answer, FloatArray, Pieces
from bertft.errors import BertftError, DataError, did_you_mean
from bertft.prediction.asked import example_of_texts
from bertft.prediction.certainty import Certainty, Rule
from bertft.prediction.unanswered import Unanswered
from bertft.serving.limits import Limits
from bertft.serving.metrics import Metrics
from bertft.serving.models import Model, Models
from bertft.serving.refused import Refused
from bertft.serving.worker import Finish, Worker
from bertft.tasks import answers_of
from bertft.watch import Silent

Texts = tuple[str, ...]
"""One input, in the order of what the model reads: (text,), (premise, hypothesis), ..."""


@dataclass(slots=True)
class Service:
    """Models, their worker, and the bounds of what it takes on."""

    models: Models
    worker: Worker
    limits: Limits
    metrics: Metrics
    draining: Callable[[], bool] = lambda: False
    files: int = 0
    """Files that are being answered."""
    explaining: bool = False
    explainers: dict[str, tuple[Model, Any]] = field(default_factory=dict)
    """What explains predictions of a model (explaining.py)."""
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ready(self) -> bool:
        return self.models.ready and not self.draining()

    def model(self, name: str = "") -> Model:
        """Raises Refused: there is none of that name."""
        found = self.models.get(name)
        if found is None:
            near = did_you_mean(name, self.models.names)
            raise Refused(404, f"no model of that name; {near}")
        return found

    def check_count(self, count: int, *, most: int = 0) -> None:
        """Raises Refused for no texts at all, and for too many."""
        most = most or self.limits.texts
        if not count:
            raise Refused(400, "`inputs` cannot be empty", "Empty")
        if count > most:
            raise Refused(413, f"batch size {count} > maximum allowed batch size {most}")

    async def answers(
        self, model: Model, inputs: Sequence[Texts], *, top_k: int | None = None,
        rule: Rule | None = None
    ) -> list[Answer]:  # fmt: skip
        """An answer to each input, those of ``bertft predict``; of a mask, of ``fill-mask``."""
        examples = [example(model, one, place) for place, one in enumerate(inputs, start=1)]
        return await self.finished(model, examples, answering(model, top_k, rule))

    async def finished(self, model: Model, examples: Sequence[Any], finish: Finish) -> list[Answer]:
        """What ``finish`` makes of examples of a model, and of their windows."""
        self.metrics.texts(len(examples))
        done = self.worker.submit(model.predictor, examples, finish)
        found: list[Answer] = await self._done(done)
        return found

    async def vectors(self, model: Model, texts: Sequence[str], *, unit: bool) -> Embedded:
        """A vector of each text; with ``unit`` of length 1."""
        for place, text in enumerate(texts, start=1):
            if not text.strip():
                raise Refused(422, f"input {place}: the text is empty")
        reader = await asyncio.to_thread(self._vectors, model)
        self.metrics.texts(len(texts))
        found: Embedded = await self._done(self.worker.submit(reader, texts, _embedded))
        if unit:
            lengths = np.linalg.norm(found.vectors, axis=-1, keepdims=True)
            found.vectors = np.asarray(found.vectors / np.maximum(lengths, 1e-12))
        return found

    async def similarities(self, model: Model, source: str, others: Sequence[str]) -> list[float]:
        """Cosine similarities of a text to others."""
        found = await self.vectors(model, [source, *others], unit=True)
        return [float(one) for one in found.vectors[1:] @ found.vectors[0]]

    def rule(self, model: Model, certainty: Certainty) -> Rule | None:
        """Raises Refused where the model cannot be asked for it."""
        try:
            return model.predictor.rule(certainty, watch=Silent())
        except BertftError as error:
            raise Refused(422, str(error)) from None

    def _vectors(self, model: Model) -> Any:
        try:
            with self._opening:
                return model.vectors
        except BertftError as error:
            raise Refused(424, str(error), "Backend") from None

    async def _done(self, future: Future[Any]) -> Any:
        """The result; whoever waits for it no longer takes the job out of the queue."""
        try:
            return await asyncio.wrap_future(future)
        except (asyncio.CancelledError, Refused):
            raise
        except DataError as error:
            raise Refused(422, str(error)) from None
        except Exception as error:
            self.metrics.failed(error)
            raise Refused(424, "the model failed on this request", "Backend") from None


@dataclass(slots=True)
class Embedded:
    """Vectors [N, W], with the tokens that were read and cut off."""

    vectors: FloatArray
    tokens: int
    cut: int


def answering(model: Model, top_k: int | None, rule: Rule | None) -> Finish:
    """What makes the answers of a model's task."""
    task: Any = model.task
    shown = None if rule is not None and rule.allowed is not None else top_k

    def finish(found: Sequence[Any], pieces: list[Pieces]) -> list[Answer]:
        answers = answers_of(task, found, pieces, top_k=shown)
        return answers if rule is None else [rule.apply(one, top_k=top_k) for one in answers]

    return finish


def example(model: Model, texts: Texts, place: int) -> Any:
    """An input as the model takes it. Raises Refused where it is none."""
    if len(texts) != len(model.reads):
        raise Refused(422, f"input {place}: this model reads {' and '.join(model.reads)}")
    try:
        found = example_of_texts(model.task, texts, id=str(place))
    except BertftError as error:
        raise Refused(422, f"input {place}: {error}") from None
    if isinstance(found, Unanswered):
        raise Refused(422, f"input {place}: {found.error}")
    return found


def _embedded(_texts: Sequence[str], pieces: list[Pieces]) -> Embedded:
    rows = [row for ((_, row),) in pieces]
    windows = [one for ((one, _),) in pieces]
    cut = sum(one.dropped > 0 for one in windows)
    return Embedded(np.stack(rows).astype(np.float32), sum(map(len, windows)), cut)
