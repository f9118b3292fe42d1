"""predict --labels: texts in, for each the label whose name or description suits it best.

No training: sentence vectors of an encoder are compared, or an NLI run is asked.
"""

from __future__ import annotations

from dataclasses import replace

from bertft.commands.predict import (
    Show,
    asked_of,
    open_predictor,
    tell_answers,
    write_answers,
)
from bertft.commands.predict_request import ENTITY_FORMATS, PredictRequest, output_format
from bertft.errors import BertftError
from bertft.inside.request import EncoderRequest
from bertft.inside.zero_shot import ByInference, BySimilarity, ZeroShot
from bertft.loaders.named import check_inputs
from bertft.loaders.reading import input_settings
from bertft.prediction.asked import predictions
from bertft.prediction.unanswered import AnswerCount
from bertft.watch import Watch


def predict_labels(
    request: PredictRequest,
    labels: str,
    encoder: EncoderRequest,
    *,
    watch: Watch,
    show: Show | None = None,
) -> int:
    """Answer every text, in order; returns how many.

    Raises:
        BertftError: what is asked for needs a trained model, or the labels are at fault.
        DataError: a file cannot be read, or none of its rows could be answered.
    """
    form = output_format(request)
    _check(request, form)
    check_inputs(request.files)
    settings = input_settings(request.overrides, on_bad_row=request.on_bad_row)
    asked = asked_of(request, settings, form)
    answering: ZeroShot
    if request.run:
        predictor = open_predictor(replace(request, overrides=()), watch=watch)
        answering = ByInference(labels, predictor, settings=settings.task, tell=watch.note)
        what = "finds most probably entailed by the text"
    else:
        answering = BySimilarity(labels, encoder, settings=settings.task, tell=watch.note)
        what = "finds most like the text"
    watch.note(f"nothing was learned: the label is the one that {answering.name} {what}")
    count = AnswerCount()
    found = count.seen(predictions(answering, asked, watch=watch))
    write_answers(found, request, form, watch=watch, show=show)
    tell_answers(count, asked, max_length=answering.max_length, watch=watch)
    count.check(asked.arguments)
    return count.done


def _check(request: PredictRequest, form: str) -> None:
    """Raise BertftError for what labels without training cannot do."""
    hint = "leave it out, or train a model: bertft train FILE"
    if request.certainty:
        raise BertftError("--labels gives no probabilities of labels to withhold by", hint=hint)
    if request.beside:
        raise BertftError("--labels asks one run", hint="give --run once")
    if request.question or request.in_parts:
        raise BertftError("--labels answers texts one by one, into one file", hint=hint)
    if form in ENTITY_FORMATS:
        raise BertftError(f"format {form} shows entities; --labels gives a label to a text")
