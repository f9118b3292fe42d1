"""What a model is asked on a command line: files and quoted texts in, answers out, in their order.

An argument that names a file is read, also a folder, ``-`` (stdin), ``hub:`` and ``bundled:``
names; every other one is a text. A model of pairs takes two texts as one pair; of a model that
answers questions a text is a passage, for the one question that is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from bertft.contracts import Task
from bertft.errors import BertftError
from bertft.loaders.files import STDIN
from bertft.loaders.named import is_input
from bertft.loaders.reading import tell_left_out
from bertft.loaders.rows import read_rows
from bertft.loaders.source import BadRow, Meter, Source
from bertft.loaders.squad import Question, question_of
from bertft.loaders.suffixes import FORMATS
from bertft.prediction.certainty import Rule
from bertft.prediction.passages import best_answers, passages
from bertft.prediction.predicted import Given, Predicted
from bertft.prediction.predictor import Answering
from bertft.prediction.unanswered import Unanswered, example_of, with_unanswered
from bertft.recipe import HUB
from bertft.settings import DataSettings
from bertft.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments, and how their files are read; ``question`` is asked of every passage.

    ``in_place``: a row that cannot be used has its error in the place of its answer. ``columns``
    are those of all tables together, where their answers go into one; () of each its own.
    """

    arguments: tuple[str, ...]
    data: DataSettings
    bad_row: BadRow
    whole_file: bool = False
    format: str = ""
    question: str = ""
    top_k: int | None = None
    in_place: bool = True
    columns: tuple[str, ...] = ()

    def source(self, path: str) -> Source:
        return Source(
            path,
            data=self.data,
            gold=False,
            whole_file=self.whole_file or bool(self.question),
            format=self.format if path == STDIN else "",
            bad_row=self.bad_row,
        )


@dataclass(frozen=True, slots=True)
class AskedRow:
    """An example (or an Unanswered) with its file, where there are several, its row in a table, and
    the passage of a question."""

    example: Any
    file: str
    given: Given | None
    context: str


def names_of(task: Task[Any]) -> tuple[str, ...]:
    """What the task reads, as a person is asked for it: ("text",), ("premise", "hypothesis")."""
    if task.name == "qa":
        return ("question", "context")
    keys: tuple[str, ...] = getattr(task, "keys", ("text", "text_pair"))
    return keys if getattr(getattr(task, "options", None), "pairs", False) else ("text",)


def example_of_texts(task: Task[Any], texts: Sequence[str], *, id: str) -> Any:
    """An example of what ``names_of`` asks for, in that order; Unanswered as in ``example_of``."""
    if task.name == "qa":
        return example_of(task, dict(zip(names_of(task), texts, strict=True)), id=id)
    if len(texts) == 1:
        return example_of(task, texts[0], id=id)
    options: Any = task.options  # type: ignore[attr-defined]
    names = (options.text_column or "text", options.pair_column or "text_pair")
    return example_of(task, dict(zip(names, texts, strict=True)), id=id)


def predictions(
    predictor: Answering, asked: Asked, *, rule: Rule | None = None, watch: Watch
) -> Iterator[Predicted]:
    """Answers in the order of what was asked; with a question, the best ones over all passages.

    ``rule`` withholds the uncertain ones.

    Raises:
        BertftError: texts that the model cannot answer as they are given.
    """
    _check_texts(predictor.task, asked)
    if asked.question:
        for one in best_answers(predictor, _questions(asked), top_k=asked.top_k):
            yield one if rule is None else replace(one, answer=rule.apply(one.answer))
        return
    for rows in rows_of(predictor.task, asked, watch=watch):
        yield from answered(predictor, rows, asked, rule=rule)


def rows_of(task: Task[Any], asked: Asked, *, watch: Watch) -> Iterator[Iterator[AskedRow]]:
    """The rows of each file or text that is asked; to be read in this order.

    Raises:
        DataError: while reading, whatever is wrong with a file.
    """
    several = len(asked.arguments) > 1
    done = 0
    watch.advance(0, None)

    def noted(examples: Iterator[Any], source: Source | None) -> Iterator[AskedRow]:
        nonlocal done
        meter = source.meter if source else Meter()
        for one in examples:
            row = one.row if isinstance(one, Unanswered) else meter.take_row()
            given = None if row is None else Given(asked.columns or meter.columns, row.fields)
            context = one.context if isinstance(one, Question) else ""
            yield AskedRow(one, source.path if source and several else "", given, context)
            done += 1
            if done % 512 == 0:
                watch.advance(done, meter.unfinished() if source else None)
        if source is not None:
            tell_left_out(source, watch=watch)

    for examples, source in _examples(task, asked):
        yield noted(examples, source)


def answered(
    predictor: Answering, rows: Iterable[AskedRow], asked: Asked, *, rule: Rule | None
) -> Iterator[Predicted]:
    """Each answer with its row, which the model reads a window earlier."""
    waiting: deque[AskedRow] = deque()

    def noted() -> Iterator[Any]:
        for row in rows:
            waiting.append(row)
            yield row.example

    for answer in predictor.stream(noted(), top_k=asked.top_k, rule=rule):
        row = waiting.popleft()
        file = {"file": row.file} if row.file else {}
        yield Predicted(file | answer, row.given, row.context)


def _check_texts(task: Task[Any], asked: Asked) -> None:
    """Raise BertftError for texts that cannot be answered one by one."""
    texts = [one for one in asked.arguments if not is_input(one)]
    names = names_of(task)
    if not texts or asked.question or len(names) == 1:
        return
    if task.name == "qa":
        hint = 'bertft predict --question "..." passage.txt'
        raise BertftError("this model answers a question from a passage", hint=hint)
    if len(texts) != 2 or len(asked.arguments) > 2:
        hint = f'bertft predict "{names[0].upper()}" "{names[1].upper()}", or a file of pairs'
        raise BertftError(f"this model compares two texts, not {len(texts)}", hint=hint)


def _questions(asked: Asked) -> Iterator[tuple[str, Question]]:
    for place, one in enumerate(asked.arguments, start=1):
        if is_input(one):
            source = asked.source(one)
            yield from ((one, passage) for passage in passages(source, asked.question))
        else:
            yield "", question_of({"question": asked.question, "context": one}, id=str(place))


def _examples(task: Task[Any], asked: Asked) -> Iterator[tuple[Iterator[Any], Source | None]]:
    """The examples of each file, and of each text."""
    if len(names_of(task)) == 2 and not any(map(is_input, asked.arguments)):
        yield iter([example_of_texts(task, asked.arguments, id="1")]), None
        return
    for place, one in enumerate(asked.arguments, start=1):
        if not is_input(one):
            yield iter([example_of(task, one, id=str(place))]), None
            continue
        source = asked.source(one)
        yield with_unanswered(task, source) if asked.in_place else task.read(source), source


def shared_columns(asked: Asked) -> tuple[str, ...]:
    """The columns of all tables together; () of one, which tells them itself."""
    names: dict[str, None] = {}
    for path in asked.arguments if len(asked.arguments) > 1 else ():
        suffix = PurePath(path.lower().removesuffix(".gz")).suffix
        if suffix in FORMATS.keys() - {".json"} and not path.startswith(HUB) and is_input(path):
            names |= dict.fromkeys(read_rows(asked.source(path)).columns)
    return tuple(names)
