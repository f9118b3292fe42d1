"""predict with several --run: each text is read once, and answered by all runs in one line.

Read order: predict_together; what an answer looks like, prediction/together.py says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bertft.commands.predict import asked_of, write_answers
from bertft.commands.predict_request import PredictRequest, output_format
from bertft.errors import BertftError
from bertft.loaders.named import check_inputs
from bertft.loaders.reading import SkippedRows, input_settings
from bertft.prediction.asked import predictions
from bertft.prediction.output import BINARY
from bertft.prediction.predicted import Predicted
from bertft.prediction.tables import TEXT_TABLES
from bertft.prediction.together import Together, load_together
from bertft.prediction.unanswered import AnswerCount
from bertft.runs.folder import find_run
from bertft.tasks import with_columns
from bertft.watch import Watch

FORMATS = ("jsonl", *TEXT_TABLES, *BINARY)


def predict_together(
    request: PredictRequest,
    *,
    watch: Watch,
    show: Callable[[Iterable[Predicted]], None] | None = None,
) -> int:
    """Answer every text by all runs, in order; returns how many. Memory does not grow.

    Raises:
        BertftError: a run does not answer single texts, or what is asked goes with one run alone.
        DataError: a file cannot be read, or none of its rows could be answered.
    """
    form = check_together(request)
    settings = input_settings(request.overrides, on_bad_row=request.on_bad_row)
    check_inputs(request.files)
    asked = asked_of(request, settings, form)
    together = _opened(request, watch=watch)
    together.ask(request.certainty, watch=watch)
    count = AnswerCount()
    found = count.seen(predictions(together, asked, watch=watch))
    write_answers(found, request, form, watch=watch, show=show)
    if isinstance(asked.bad_row, SkippedRows):
        asked.bad_row.tell(watch)
    count.tell(watch, max_length=0)  # what was cut, each run tells
    together.tell(watch)
    count.check(asked.arguments)
    return count.done


def check_together(request: PredictRequest) -> str:
    """The format of the answers. Raises BertftError for what goes with one run alone."""
    if request.question or request.in_parts:
        what = "--question" if request.question else "a folder of answers in parts"
        raise BertftError(f"{what} goes with one --run", hint="give one, or leave it out")
    form = output_format(request)
    if form not in FORMATS:
        hint = f"formats for it: {', '.join(sorted(FORMATS))}"
        raise BertftError(f"format {form} shows the answers of one run", hint=hint)
    return form


def _opened(request: PredictRequest, *, watch: Watch) -> Together:
    """The runs, the first of them with the columns of this call."""
    runs = [find_run(name) for name in (request.run, *request.beside)]
    watch.note(f"runs: {', '.join(str(one.path) for one in runs)}")
    together = load_together(runs, device=request.device, precision=request.precision)
    first = next(iter(together.predictors.values()))
    first.task = with_columns(first.task, input_settings(request.overrides))
    return together
