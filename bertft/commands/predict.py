"""predict: streams answers to texts, files and stdin to a file or stdout, in input order.

Every row has its answer, or an error in the place of one, unless bad rows are to stop or be left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bertft.errors import BertftError, DataError, did_you_mean
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings
from bertft.prediction.asked import Asked, predictions, shared_columns
from bertft.prediction.certainty import Certainty
from bertft.prediction.formats import ANNOTATION_FORMATS
from bertft.prediction.formats import FORMATS as LINES
from bertft.prediction.output import answers_output
from bertft.prediction.predicted import Predicted
from bertft.prediction.predictor import Predictor, load
from bertft.prediction.tables import TEXT_TABLES
from bertft.prediction.texts import check_inputs, is_input
from bertft.prediction.unanswered import AnswerCount
from bertft.reports.entities_page import entities_page
from bertft.runs.folder import find_run, newest_run
from bertft.settings import Recipe
from bertft.tasks import with_columns
from bertft.watch import Watch

FORMATS = LINES | {"html": entities_page}
"""Those that are text; beside them ``xlsx``."""
ENTITY_FORMATS = {"conll", "html"}
Show = Callable[[Iterable[Predicted]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """What ``bertft predict`` is asked for: files, or texts themselves."""

    files: tuple[str, ...]
    run: str = ""
    out: str = ""
    format: str = ""
    input_format: str = ""
    top_k: int | None = None
    certainty: Certainty = field(default_factory=Certainty)
    whole_file: bool = False
    question: str = ""
    overwrite: bool = False
    overrides: tuple[str, ...] = ()
    on_bad_row: str = ""
    device: str = "auto"
    precision: str = "auto"


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
    asked = _asked(request, settings, form)
    predictor = open_predictor(request, watch=watch)
    _check_task(predictor.task, request, form)
    rule = predictor.rule(request.certainty, watch=watch)
    count = AnswerCount()
    found = count.seen(predictions(predictor, asked, rule=rule, watch=watch))
    if show:
        show(found)
    else:
        with answers_output(
            request.out, form, FORMATS, overwrite=request.overwrite, tell=watch.note
        ) as write:
            for one in found:
                write(one)
    if isinstance(asked.bad_row, SkippedRows):
        asked.bad_row.tell(watch)
    files = ", ".join(filter(is_input, request.files))
    if count.failed and not count.done and not files:
        raise DataError(count.error)
    count.tell(watch, max_length=predictor.max_length)
    for said in predictor.foreign.take():
        watch.note(f"warning: {said}")
    if rule is not None:
        rule.tell(watch)
    if count.failed and not count.done:
        raise DataError("no row could be answered", path=files)
    return count.done


def open_predictor(request: PredictRequest, *, watch: Watch) -> Predictor:
    """The model of the run that is asked for, else of the newest, with the columns of this call."""
    run = find_run(request.run) if request.run else newest_run(None)
    watch.note(f"run: {run.path}")
    predictor = load(run, device=request.device, precision=request.precision)
    predictor.task = with_columns(predictor.task, input_settings(request.overrides))
    return predictor


def _asked(request: PredictRequest, settings: Recipe, form: str) -> Asked:
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
    is_table = form == "xlsx" or form in TEXT_TABLES
    return replace(asked, columns=shared_columns(asked)) if is_table else asked


def _check_task(task: Any, request: PredictRequest, form: str) -> None:
    """Raise BertftError where the request does not go with the model's task."""
    wrong = set() if task.name == "ner" else set(ENTITY_FORMATS)
    if task.name != "ner" and (not task.labels or getattr(task.options, "pairs", True)):
        wrong |= ANNOTATION_FORMATS
    if form in wrong:
        what = "entities" if form in ENTITY_FORMATS else "entities, or labels of single texts"
        hint = "formats for it: " + ", ".join(sorted({*FORMATS, "xlsx"} - wrong))
        raise BertftError(
            f"format {form} shows {what}; this model's task is {task.name}", hint=hint
        )
    if request.question and task.name != "qa":
        raise BertftError(f"--question needs a qa model; this one's task is {task.name}")
    if request.question and request.certainty.target_accuracy is not None:
        what = "--target-accuracy was learned from one passage per question, not from many"
        raise BertftError(what, hint="use --min-confidence beside --question")


def output_format(request: PredictRequest) -> str:
    """The format asked for, else that of the output file's suffix, else jsonl."""
    form = request.format or Path(request.out).suffix.lower().removeprefix(".") or "jsonl"
    names = [*FORMATS, "xlsx"]
    if form not in names:
        where = "--format" if request.format else f"--out {request.out}"
        raise BertftError(f"{where}: no output format '{form}'", hint=did_you_mean(form, names))
    if form == "xlsx" and not request.out:
        raise BertftError("a workbook needs a file", hint="add --out answers.xlsx")
    return form
