"""The examples that a run's answers are explained for: texts in quotes, files, or a question.

A text in quotes is one example, a passage where there is a question; two are one example of a task
that reads pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bertft.errors import BertftError
from bertft.inside.request import ExplainRequest
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.named import names_file
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings, tell_left_out
from bertft.loaders.source import Source
from bertft.prediction.passages import passages
from bertft.prediction.predictor import Predictor
from bertft.recipe import HUB
from bertft.tasks import with_columns
from bertft.watch import Watch


def examples_of(
    predictor: Predictor, request: ExplainRequest, *, watch: Watch
) -> Iterator[tuple[dict[str, str], Any]]:
    """({"file": ...} where there are several, example), in order.

    Raises:
        BertftError: nothing to read, or a question and a task that do not fit.
        DataError: a file is missing or broken.
    """
    texts = request.texts
    if request.records is not None:
        yield from _numbered(predictor.task, request.records)
        return
    if not texts.arguments:
        raise BertftError("no text and no file", hint='give "a text in quotes", or a file')
    settings = input_settings(texts.overrides, on_bad_row=texts.on_bad_row)
    predictor.task = with_columns(predictor.task, settings)
    if request.question and predictor.task.name != "qa":
        what = f"--question needs a qa model; this one's task is {predictor.task.name}"
        raise BertftError(what)
    for path in filter(names_file, texts.arguments):
        if not path.startswith(HUB) and path != STDIN:
            resolve(path)
    if not texts.has_files:
        yield from _numbered(predictor.task, _records(predictor.task, request))
        return
    rule = bad_row_rule(settings.data)
    for path in texts.arguments:
        if not names_file(path):
            raise BertftError(f"'{path}' is no file, others are", hint="give texts, or files")
        form = texts.input_format if path == STDIN else ""
        whole = bool(request.question)
        source = Source(
            path, data=settings.data, gold=False, whole_file=whole, format=form, bad_row=rule
        )
        place = {"file": path} if len(texts.arguments) > 1 else {}
        asked = request.question
        found = passages(source, asked) if asked else predictor.task.read(source)
        for example in found:
            yield place, example
        tell_left_out(source, watch=watch)
    if isinstance(rule, SkippedRows):
        rule.tell(watch)


def _numbered(
    task: Any, records: Sequence[str | Mapping[str, Any]]
) -> Iterator[tuple[dict[str, str], Any]]:
    for number, record in enumerate(records, start=1):
        yield {}, task.example(record, id=str(number))


def _records(task: Any, request: ExplainRequest) -> list[str | Mapping[str, Any]]:
    """What the texts of the command line say, as ``Task.example`` takes it."""
    texts = request.texts.arguments
    if task.name == "qa":
        if not request.question:
            hint = 'bertft explain "a passage" --question "..." --run RUN'
            raise BertftError("a passage without a question", hint=hint)
        return [{"question": request.question, "context": text} for text in texts]
    if getattr(task.options, "pairs", False):
        if len(texts) != 2:
            hint = 'bertft explain "It rains." "The street is wet." --run RUN'
            raise BertftError(f"this model compares two texts, not {len(texts)}", hint=hint)
        names = (task.options.text_column or "text", task.options.pair_column or "text_pair")
        return [dict(zip(names, texts, strict=True))]
    return list(texts)
