"""predict: streams answers to texts, files and stdin to a file or stdout, in input order.

Every row has its answer, or an error in the place of one, unless bad rows are to stop or be left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from bertft.commands.predict_parts import predict_parts
from bertft.commands.predict_request import (
    ENTITY_FORMATS,
    FORMATS,
    PredictRequest,
    into_folder,
    output_format,
)
from bertft.errors import BertftError, DataError
from bertft.loaders.named import check_inputs, is_input
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings
from bertft.prediction.asked import Asked, predictions, shared_columns
from bertft.prediction.formats import ANNOTATION_FORMATS
from bertft.prediction.output import BINARY, answers_output
from bertft.prediction.predicted import Predicted
from bertft.prediction.predictor import Predictor, load
from bertft.prediction.tables import TEXT_TABLES
from bertft.prediction.unanswered import AnswerCount
from bertft.runs.folder import find_run, newest_run
from bertft.settings import Recipe
from bertft.tasks import with_columns
from bertft.watch import Watch

Show = Callable[[Iterable[Predicted]], None]


def predict_files(request: PredictRequest, *, watch: Watch, show: Show | None = None) -> int:
    """Answer every text, in order; returns how many. Memory does not grow.

    ``show`` is given the answers in the place of a file.

    Raises:
        DataError: a file cannot be read, or none of its rows could be answered (which is told when
            all is written).
    """
    form = output_format(request)
    settings = input_settings(request.overrides, on_bad_row=request.on_bad_row)
    check_inputs(request.files)
    asked = asked_of(request, settings, form)
    predictor = open_predictor(request, watch=watch)
    _check_task(predictor.task, request, form)
    rule = predictor.rule(request.certainty, watch=watch)
    count = AnswerCount()
    found = count.seen(predictions(predictor, asked, rule=rule, watch=watch))
    if request.in_parts and not show:
        predict_parts(
            predictor, asked, into_folder(request, form), rule=rule, count=count, watch=watch
        )
    else:
        write_answers(found, request, form, watch=watch, show=show)
    tell_answers(count, asked, max_length=predictor.max_length, watch=watch)
    for said in predictor.foreign.take():
        watch.note(f"warning: {said}")
    if rule is not None:
        rule.tell(watch)
    count.check(asked.arguments)
    return count.done


def write_answers(
    found: Iterable[Predicted],
    request: PredictRequest,
    form: str,
    *,
    watch: Watch,
    show: Show | None,
) -> None:
    """Answers to ``show``, or to the file that is asked for, or to stdout."""
    if show:
        show(found)
        return
    with answers_output(
        request.out, form, FORMATS, overwrite=request.overwrite, tell=watch.note
    ) as write:
        for one in found:
            write(one)


def tell_answers(count: AnswerCount, asked: Asked, *, max_length: int, watch: Watch) -> None:
    """Say what has no answer, and what was cut. Raises DataError for texts that all have none."""
    if isinstance(asked.bad_row, SkippedRows):
        asked.bad_row.tell(watch)
    if count.failed and not count.done and not any(map(is_input, asked.arguments)):
        raise DataError(count.error)
    count.tell(watch, max_length=max_length)


def open_predictor(request: PredictRequest, *, watch: Watch) -> Predictor:
    """The model of the run that is asked for, else of the newest, with the columns of this call."""
    run = find_run(request.run) if request.run else newest_run(None)
    watch.note(f"run: {run.path}")
    predictor = load(run, device=request.device, precision=request.precision)
    predictor.task = with_columns(predictor.task, input_settings(request.overrides))
    return predictor


def asked_of(request: PredictRequest, settings: Recipe, form: str) -> Asked:
    """What is asked of a model, and how files are read."""
    asked = Asked(
        arguments=request.files,
        data=settings.data,
        bad_row=bad_row_rule(settings.data),
        whole_file=request.whole_file,
        format=request.input_format,
        question=request.question,
        top_k=request.top_k,
        in_place=not request.on_bad_row and settings.data.on_bad_row == "stop",
    )
    is_table = form in BINARY or form in TEXT_TABLES
    return replace(asked, columns=shared_columns(asked)) if is_table else asked


def _check_task(task: Any, request: PredictRequest, form: str) -> None:
    """Raise BertftError where the request does not go with the model's task."""
    wrong = set() if task.name == "ner" else set(ENTITY_FORMATS)
    if task.name != "ner" and (not task.labels or getattr(task.options, "pairs", True)):
        wrong |= ANNOTATION_FORMATS
    if form in wrong:
        what = "entities" if form in ENTITY_FORMATS else "entities, or labels of single texts"
        hint = "formats for it: " + ", ".join(sorted({*FORMATS, *BINARY} - wrong))
        raise BertftError(
            f"format {form} shows {what}; this model's task is {task.name}", hint=hint
        )
    if request.question and task.name != "qa":
        raise BertftError(f"--question needs a qa model; this one's task is {task.name}")
    if request.question and request.certainty.target_accuracy is not None:
        what = "--target-accuracy was learned from one passage per question, not from many"
        raise BertftError(what, hint="use --min-confidence beside --question")
