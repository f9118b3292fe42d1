"""A table or a text file in, the same with answers out, as ``bertft predict FILE --out`` writes it.

Its texts go through the queue like those of any request, a few at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.loaders.reading import bad_row_rule, input_settings
from bertft.prediction.asked import Asked, predictions
from bertft.prediction.certainty import Rule
from bertft.prediction.formats import FORMATS
from bertft.prediction.output import answers_output
from bertft.prediction.unanswered import AnswerCount, Unanswered
from bertft.serving.models import Model
from bertft.serving.refused import Refused
from bertft.serving.service import answering
from bertft.serving.worker import Worker
from bertft.watch import Recorder, Silent

TOGETHER = 32
INPUTS = (".csv", ".tsv", ".txt", ".xlsx", ".jsonl", ".json")
OUTPUTS = {"csv": "text/csv", "jsonl": "application/jsonl",
           "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}  # fmt: skip


class Left(Exception):  # noqa: N818 - a stop that was asked for is no error
    """Nobody waits for the answers any more."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Answers of a model by the queue, for those who take a Predictor's stream."""

    model: Model
    worker: Worker
    left: Event

    @property
    def task(self) -> Any:
        return self.model.task

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Rule | None = None
    ) -> Iterator[Answer]:
        remaining = iter(examples)
        while chunk := list(islice(remaining, TOGETHER)):
            asked = [one for one in chunk if not isinstance(one, Unanswered)]
            answers = iter(self._answers(asked, top_k, rule))
            for one in chunk:
                yield one.answer if isinstance(one, Unanswered) else next(answers)

    def answer(self, examples: Sequence[Any], *, top_k: int | None = None) -> list[Answer]:
        return self._answers(examples, top_k, None)

    def _answers(
        self, examples: Sequence[Any], top_k: int | None, rule: Rule | None
    ) -> list[Answer]:
        if self.left.is_set():
            raise Left
        done = self.worker.submit(
            self.model.predictor, examples, answering(self.model, top_k, rule)
        )
        found: list[Answer] = done.result()
        return found


@dataclass(frozen=True, slots=True)
class FileAnswers:
    """A file of answers, how many there are, and what is to be said of them."""

    content: bytes
    rows: int
    notes: list[str]


def answer_file(
    model: Model, worker: Worker, content: bytes, *, suffix: str, form: str, left: Event
) -> FileAnswers:
    """The answers to all rows of a file, in its order.

    Raises:
        Refused: it is no file that can be read, or none of its rows has an answer.
    """
    watch = Recorder(Silent())
    try:
        with tempfile.TemporaryDirectory(prefix="bertft-") as folder:
            given, made = Path(folder, f"file{suffix}"), Path(folder, f"answers.{form}")
            given.write_bytes(content)
            data = input_settings(()).data
            asked = Asked(arguments=(str(given),), data=data, bad_row=bad_row_rule(data))
            count = AnswerCount()
            found = predictions(Queued(model, worker, left), asked, watch=watch)
            with answers_output(str(made), form, FORMATS, overwrite=True, tell=watch.note) as put:
                for one in count.seen(found):
                    put(one)
            count.tell(watch, max_length=model.predictor.max_length)
            notes = [one.replace(str(given), "the file") for one in watch.take_notes()]
            return FileAnswers(made.read_bytes(), count.done + count.failed, notes)
    except BertftError as error:
        raise Refused(422, str(error).replace(str(given), "the file")) from None
