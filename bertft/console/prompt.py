"""A conversation with a model: a person types a text, and reads the answer; Ctrl-D ends it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertft.console.predictions import Page
from bertft.errors import DataError
from bertft.loaders.named import names_file
from bertft.loaders.rows import read_rows
from bertft.loaders.source import Source
from bertft.prediction.asked import example_of_texts, names_of
from bertft.prediction.predicted import Predicted
from bertft.prediction.unanswered import Unanswered
from bertft.settings import DataSettings

if TYPE_CHECKING:
    from bertft.console.console import Console
    from bertft.prediction.predictor import Predictor


def converse(predictor: Predictor, console: Console, *, top_k: int | None = None) -> None:
    """Ask for texts and answer them until Ctrl-D or Ctrl-C."""
    with suppress(ImportError):  # where there is one, lines are edited and have a history
        import readline  # noqa: F401
    names = names_of(predictor.task)
    console.note("type a text, then Enter; Ctrl-D ends" if len(names) == 1 else "Ctrl-D ends")
    talk = _Talk(predictor, console, Page(top_k=top_k), top_k=top_k)
    try:
        if predictor.task.name == "qa":
            talk.about_passages()
        while True:
            talk.answer([_ask(name) for name in names])
    except (EOFError, KeyboardInterrupt):
        print()  # noqa: T201 - the shell's prompt begins a line of its own


class _Talk:
    """Answers, one by one; what cannot be answered is told, and the talk goes on."""

    def __init__(
        self, predictor: Predictor, console: Console, page: Page, *, top_k: int | None
    ) -> None:
        self._predictor, self._console, self._page = predictor, console, page
        self._top_k = top_k

    def answer(self, texts: list[str], context: str = "") -> None:
        try:
            example: Any = example_of_texts(self._predictor.task, texts, id="1")
            if isinstance(example, Unanswered):
                raise DataError(example.error)
            (answer,) = self._predictor.answer([example], top_k=self._top_k)
            for said in self._predictor.foreign.take():
                self._console.note(f"warning: {said}")
        except DataError as error:
            self._console.error(str(error))
        else:
            self._page.show(Predicted(answer, context=context))

    def about_passages(self) -> None:
        """A passage, and questions about it; an empty one asks for the next passage."""
        while True:
            passage = self._passage()
            self._console.note("an empty question asks for another passage")
            while question := _ask("question", may_be_empty=True):
                self._page.question = question  # stands above already
                self.answer([question, passage], passage)

    def _passage(self) -> str:
        """A file's text, or what is typed or pasted until an empty line."""
        while True:
            self._console.note("passage: the name of a file, or the text itself and an empty line")
            lines = [_ask("passage")]
            if names_file(lines[0]):
                try:
                    return _read(lines[0])
                except DataError as error:
                    self._console.error(str(error))
                    continue
            while line := _ask("...", may_be_empty=True):
                lines.append(line)
            return "\n".join(lines)


def _ask(name: str, *, may_be_empty: bool = False) -> str:
    while True:
        text = input(f"{name}> ")
        if text.strip() or may_be_empty:
            return text.strip()


def _read(path: str) -> str:
    """The text of a file, or of all rows of a table."""
    source = Source(str(Path(path)), data=DataSettings(), gold=False, whole_file=True)
    rows = [str(row.fields.get("text") or "") for row in read_rows(source)]
    if text := "\n".join(filter(None, rows)):
        return text
    raise DataError("holds no text", path=path)
