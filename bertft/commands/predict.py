"""predict on files: streams answers of files and stdin to a file or stdout, in input order.

Every row has its answer, or an error in the place of one, unless bad rows are to stop or be left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertft.contracts import Answer
from bertft.errors import BertftError, DataError, did_you_mean
from bertft.loaders.files import resolve
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings, tell_left_out
from bertft.loaders.source import BadRow, Source, refuse
from bertft.prediction import formats
from bertft.prediction.certainty import Certainty, Rule
from bertft.prediction.formats import ANNOTATION_FORMATS
from bertft.prediction.output import text_output
from bertft.prediction.passages import best_answers, passages
from bertft.prediction.predictor import Predictor, load
from bertft.prediction.unanswered import AnswerCount, with_unanswered
from bertft.recipe import HUB
from bertft.reports.entities_page import entities_page
from bertft.runs.folder import find_run, newest_run
from bertft.settings import Recipe
from bertft.tasks import with_columns
from bertft.watch import Watch

FORMATS = formats.FORMATS | {"html": entities_page}
ENTITY_FORMATS = {"conll", "html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictRequest:
    """What ``bertft predict`` is asked for."""

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


def predict_files(request: PredictRequest, *, watch: Watch) -> int:
    """Answer every text of the files, in order; returns how many. Memory does not grow.

    Raises:
        DataError: a file cannot be read, or none of its rows could be answered (which is told when
            all is written).
    """
    form = output_format(request)
    settings = input_settings(request.overrides, on_bad_row=request.on_bad_row)
    for path in request.files:
        if path != "-" and not path.startswith(HUB) and not Path(path).is_dir():
            resolve(path)  # a folder may be one of brat: the task's reader looks into it
    run = find_run(request.run) if request.run else newest_run(None)
    watch.note(f"run: {run.path}")
    predictor = load(run, device=request.device, precision=request.precision)
    predictor.task = with_columns(predictor.task, settings)
    _check_task(predictor.task, request, form)
    sure = predictor.rule(request.certainty, watch=watch)
    rule = bad_row_rule(settings.data)
    count = AnswerCount()
    with (
        text_output(request.out, overwrite=request.overwrite) as file,
        FORMATS[form](file) as write,
    ):
        sources = _sources(request, settings, rule)
        for answer in _answers(predictor, sources, request, sure, watch):
            write(answer)
            count.see(answer)
    if isinstance(rule, SkippedRows):
        rule.tell(watch)
    count.tell(watch, max_length=predictor.max_length)
    if sure is not None:
        sure.tell(watch)
    if count.failed and not count.done:
        raise DataError("no row could be answered", path=", ".join(request.files))
    return count.done


def _check_task(task: Any, request: PredictRequest, form: str) -> None:
    """Raise BertftError where the request does not go with the model's task."""
    wrong = set() if task.name == "ner" else set(ENTITY_FORMATS)
    if task.name != "ner" and (not task.labels or getattr(task.options, "pairs", True)):
        wrong |= ANNOTATION_FORMATS
    if form in wrong:
        what = "entities" if form in ENTITY_FORMATS else "entities, or labels of single texts"
        hint = "formats for it: " + ", ".join(sorted(FORMATS.keys() - wrong))
        raise BertftError(
            f"format {form} shows {what}; this model's task is {task.name}", hint=hint
        )
    if request.question and task.name != "qa":
        raise BertftError(f"--question needs a qa model; this one's task is {task.name}")
    if request.question and request.certainty.target_accuracy is not None:
        what = "--target-accuracy was learned from one passage per question, not from many"
        raise BertftError(what, hint="use --min-confidence beside --question")


def _sources(request: PredictRequest, settings: Recipe, rule: BadRow) -> Iterator[Source]:
    for path in request.files:
        yield Source(
            path,
            data=settings.data,
            gold=False,
            whole_file=request.whole_file or bool(request.question),
            format=request.input_format if path == "-" else "",
            bad_row=rule,
        )


def _answers(
    predictor: Predictor,
    sources: Iterable[Source],
    request: PredictRequest,
    rule: Rule | None,
    watch: Watch,
) -> Iterator[Answer]:
    """Answers file by file; with a question, the best ones over all files."""
    if request.question:
        asked = (
            (source.path, one) for source in sources for one in passages(source, request.question)
        )
        for answer in best_answers(predictor, asked, top_k=request.top_k):
            yield answer if rule is None else rule.apply(answer)
        return
    done = 0
    watch.advance(0, None)
    for source in sources:
        in_place = source.bad_row is refuse and not request.on_bad_row
        task = predictor.task
        examples = with_unanswered(task, source) if in_place else task.read(source)
        for answer in predictor.stream(examples, top_k=request.top_k, rule=rule):
            yield {"file": source.path, **answer} if len(request.files) > 1 else answer
            done += 1
            if done % 512 == 0:
                watch.advance(done, source.meter.unfinished())
        tell_left_out(source, watch=watch)


def output_format(request: PredictRequest) -> str:
    """The format asked for, else that of the output file's suffix, else jsonl."""
    form = request.format or Path(request.out).suffix.lower().removeprefix(".") or "jsonl"
    if form not in FORMATS:
        where = "--format" if request.format else f"--out {request.out}"
        raise BertftError(f"{where}: no output format '{form}'", hint=did_you_mean(form, FORMATS))
    return form
