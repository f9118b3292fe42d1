"""Rows that have no answer, in their place among those that have one.

In: a task and a Source. Out: its examples in file order, and an Unanswered for each row that cannot
be used, so that nothing of a file is lost and answers keep their places.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bertft.contracts import Answer, Task
from bertft.errors import DataError
from bertft.loaders import Row
from bertft.loaders.named import is_input
from bertft.loaders.source import Source
from bertft.prediction.predicted import Predicted
from bertft.watch import Watch
from bertft.words import cut_texts


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A row without an answer: what it is called, and why; its ``row``, where it has cells."""

    id: str
    error: str
    text: str = ""
    row: Row | None = None

    @property
    def answer(self) -> Answer:
        """What stands in the place of its answer."""
        return {"id": self.id, "error": self.error}


def with_unanswered(task: Task[Any], source: Source) -> Iterator[Any]:
    """The examples of a source, and an Unanswered in the place of each row that is refused."""
    faults: deque[Unanswered] = deque()

    def refuse(error: DataError) -> None:
        number = f"row {error.line}" if source.meter.own_ids else str(error.line)
        faults.append(Unanswered(error.row or number, error.reason, row=source.meter.take_row()))

    for example in task.read(replace(source, bad_row=refuse)):
        while faults:
            yield faults.popleft()
        yield example
    while faults:
        yield faults.popleft()


def example_of(task: Task[Any], record: str | Mapping[str, Any] | None, *, id: str) -> Any:
    """An example of one text or mapping; Unanswered where it holds nothing that can be answered.

    Raises:
        DataError: it does not have what the task reads, whatever its values are.
    """
    if record is None or (isinstance(record, float) and record != record):
        return Unanswered(id, "there is no text")
    if not isinstance(record, str | Mapping):
        what = f"text {id} is {type(record).__name__}, not a text or a mapping"
        raise DataError(what, hint='give texts, or mappings such as {"text": ...}')
    try:
        return task.example(record, id=id)
    except DataError as error:
        if not error.code:
            raise
        return Unanswered(error.row or id, error.reason)


class AnswerCount:
    """Counts answers, those of texts that were cut, and rows without one, as they go by."""

    def __init__(self) -> None:
        self.done = self.cut = self.failed = 0
        self.first = self.error = ""

    def seen(self, found: Iterable[Predicted]) -> Iterator[Predicted]:
        """The same, counted."""
        for one in found:
            self.see(one.answer)
            yield one

    def see(self, answer: Answer) -> None:
        if "error" in answer:
            self.failed += 1
            place = f"{answer['file']}: " if "file" in answer else ""
            self.error = self.error or answer["error"]
            self.first = self.first or f"{place}{answer['id']}: {answer['error']}"
        else:
            self.done += 1
            self.cut += bool(answer.get("truncated"))

    def tell(self, watch: Watch, *, max_length: int) -> None:
        """Say what is not as one would think."""
        if self.failed:
            all_rows = self.done + self.failed
            watch.note(
                f"{self.failed} of {all_rows} rows have no answer, but an error in its place; "
                f"the first is {self.first}"
            )
        if self.cut:
            watch.note(cut_texts(self.cut, of=self.done, longest=max_length))

    def check(self, arguments: Iterable[str]) -> None:
        """Raise DataError where no row of the files could be answered."""
        if self.failed and not self.done:
            files = ", ".join(filter(is_input, arguments))
            raise DataError("no row could be answered", path=files)
