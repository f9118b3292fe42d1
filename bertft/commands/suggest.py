"""suggest: texts without labels in, those out that would teach a model most if they had one.

With a run: of the texts that it is most unsure of, such as differ from each other. Without one: a
typical text of each of so many clusters. None is nearly the same as another, or as a labelled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bertft.contracts import FloatArray
from bertft.errors import DataError
from bertft.inside.embedder import WINDOW, Embedder, View, unit_length
from bertft.inside.encoders import open_encoder
from bertft.inside.request import EncoderRequest
from bertft.loaders.named import check_inputs
from bertft.loaders.reading import SkippedRows, bad_row_rule, input_settings
from bertft.prediction.asked import Asked, predictions, shared_columns
from bertft.prediction.formats import FORMATS
from bertft.prediction.output import answers_output
from bertft.prediction.predicted import Predicted
from bertft.prediction.predictor import Answering, load
from bertft.runs.folder import find_run
from bertft.selection.diversity import spread
from bertft.selection.labelled import Texts, labelled_files, labelled_texts, texts_of
from bertft.selection.pool import Pool
from bertft.selection.request import SuggestRequest
from bertft.selection.to_label import to_label
from bertft.selection.uncertainty import UNCERTAINTY, Unsure
from bertft.selection.unread import Unread
from bertft.settings import Recipe
from bertft.tasks import with_columns
from bertft.watch import Watch
from bertft.words import rows_left_out

UNSURE = 10
"""Of the most uncertain texts, so many times as are asked for are compared with each other."""
LARGEST = 20_000
"""Texts that are compared where there is no model yet."""


def suggest(request: SuggestRequest, *, watch: Watch) -> int:
    """Write the texts to label next, those that teach most first; returns how many.

    Raises:
        BertftError: the files, the run or the model is at fault, or there is nothing to suggest.
    """
    form = request.form
    settings = input_settings(request.overrides, on_bad_row=request.on_bad_row)
    check_inputs((*request.files, *request.labelled))
    answering, labelled = _opened(request, settings, watch=watch)
    asked = _asked(request, settings)
    most = max(UNSURE * request.count, 500) if request.run else LARGEST
    pool = Pool(most, labelled, request.seed)
    candidates = pool.fill(predictions(answering, asked, watch=watch))
    if isinstance(asked.bad_row, SkippedRows):
        asked.bad_row.tell(watch)
    _tell(pool, len(candidates), watch=watch, by_chance=not request.run)
    if not candidates:
        raise DataError("no text is left to suggest", path=", ".join(request.files))
    chosen = _chosen(request, candidates, watch=watch)
    labels = answering.task.name in ("classification", "nli") and form in ("csv", "tsv", "xlsx")
    with answers_output(
        request.out, form, FORMATS, overwrite=request.overwrite, tell=watch.note, may_fail=False
    ) as write:
        for one in chosen:
            write(to_label(one) if labels else one)
    return len(chosen)


def _opened(
    request: SuggestRequest, settings: Recipe, *, watch: Watch
) -> tuple[Answering, list[Texts]]:
    """What answers, and the texts that have labels already."""
    files = list(request.labelled)
    answering: Answering = Unread(settings)
    if request.run:
        run = find_run(request.run)
        watch.note(f"run: {run.path}")
        predictor = load(run, device=request.device, precision=request.precision)
        predictor.task = with_columns(predictor.task, input_settings(request.overrides))
        answering = Unsure(predictor)
        files += labelled_files(run, watch=watch)
    else:
        watch.note("no run: the texts are chosen to differ from each other, and to be typical")
    texts = labelled_texts(files, answering.task, settings.data, watch=watch)
    return answering, list(dict.fromkeys(texts))


def _asked(request: SuggestRequest, settings: Recipe) -> Asked:
    asked = Asked(
        arguments=request.files,
        data=settings.data,
        bad_row=bad_row_rule(settings.data),
        in_place=settings.data.on_bad_row == "stop" and not request.on_bad_row,
    )
    return replace(asked, columns=shared_columns(asked))


def _tell(pool: Pool, left: int, *, watch: Watch, by_chance: bool) -> None:
    """Say what was not considered, and why."""
    reasons = {
        "have labels already": pool.known,
        "repeat another one": pool.repeated,
        "are nearly the same as one of these": pool.alike,
    }
    for what, count in reasons.items():
        if count:
            watch.note(f"{count:,} of {pool.seen:,} texts {what}: left out")
    if pool.unreadable:
        watch.note(rows_left_out(pool.unreadable, first=pool.first))
    if by_chance and left + pool.alike == pool.most:
        watch.note(f"{pool.most:,} texts, drawn by chance, are compared")


def _chosen(
    request: SuggestRequest, candidates: Sequence[Predicted], *, watch: Watch
) -> list[Predicted]:
    """The suggestions: those of which the model is least sure first."""
    encoder = EncoderRequest(
        model=request.model, run=request.run, device=request.device, offline=request.offline
    )
    opened = open_encoder(encoder)
    watch.note(f"vectors: {opened.name}")
    vectors = _vectors(Embedder(opened, View()), candidates, watch=watch)
    weights = np.array([one.answer.get(UNCERTAINTY, 1.0) for one in candidates])
    picked = spread(vectors, weights, count=request.count, seed=request.seed)
    if request.run:
        picked.sort(key=lambda index: -weights[index])
    return [candidates[index] for index in picked]


def _vectors(embedder: Embedder, candidates: Sequence[Predicted], *, watch: Watch) -> FloatArray:
    """[N, W] of length 1, one of each text (of pairs: of both together)."""
    texts = [" ".join(texts_of(one.answer)) for one in candidates]
    rows: list[FloatArray] = []
    for start in range(0, len(texts), WINDOW):
        rows += embedder.vectors(embedder.encode(texts[start : start + WINDOW]))
        watch.advance(len(rows), None, total=len(texts), what="embedded")
    return unit_length(np.stack(rows))
