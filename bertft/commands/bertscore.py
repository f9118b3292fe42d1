"""bertscore: references and candidates in, how alike they are token by token out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bertft.contracts import FloatArray
from bertft.errors import BertftError, DataError
from bertft.evaluation.intervals import bootstrap
from bertft.evaluation.statistic import Statistic
from bertft.inside.bertscore import (
    NAMES,
    Pair,
    encode_pairs,
    read_baseline,
    rescaled,
    score_pairs,
    unrelated,
    weights_of,
)
from bertft.inside.embedder import Embedder, View
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.request import EncoderRequest
from bertft.loaders.column_names import named
from bertft.loaders.files import STDIN
from bertft.loaders.reading import input_settings
from bertft.loaders.rows import is_plain_text, read_rows
from bertft.loaders.source import Source
from bertft.prediction.texts import TextRequest, read_texts
from bertft.settings import DataSettings
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch
from bertft.words import counted

REFERENCE = ("reference", "references", "ref", "gold", "target", "참조", "정답")
CANDIDATE = ("candidate", "candidates", "prediction", "hypothesis", "translation", "summary",
             "output", "후보", "번역", "요약")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BertScoreRequest:
    """What ``bertft bertscore`` is asked for: two files, or one with two columns in ``texts``.

    ``baseline`` is a file of the package bert_score; ``rescale`` takes unrelated pairs instead.
    """

    texts: TextRequest
    encoder: EncoderRequest
    layer: str = "last"
    idf: bool = False
    rescale: bool = False
    baseline: str = ""


def bertscore(request: BertScoreRequest, *, watch: Watch) -> dict[str, Any]:
    """``metrics`` with their intervals over all pairs, and the scores of each in ``pairs``.

    Raises:
        BertftError: the files do not belong together, or the encoder or a setting is at fault.
    """
    if request.rescale and request.baseline:
        raise BertftError("--rescale and --baseline", hint="choose one")
    pairs = read_pairs(request.texts, watch=watch)
    encoder = open_encoder(request.encoder)
    embedder = Embedder(encoder, View(level="token", layers=request.layer))
    if len(embedder.layers) > 1:
        raise BertftError("bertscore compares one layer", hint="choose one with --layer")
    (layer,) = embedder.layers
    watch.note(f"model: {encoder.name}, layer {layer}")
    encoded = encode_pairs(embedder, pairs)
    losses = Losses(encoder, watch=watch)
    losses.see(list(encoded), encoded.values())
    losses.tell(embedder.extractor.max_length)
    weigh = weights_of(embedder, [encoded[one.reference] for one in pairs], idf=request.idf)
    scores = score_pairs(embedder, pairs, weigh=weigh, encoded=encoded)
    if empty := sum(not (one.reference.strip() and one.candidate.strip()) for one in pairs):
        watch.note(f"{counted(empty, 'pair')} with an empty text: 0 in all scores")
    baseline: FloatArray | None = None
    if request.baseline:
        baseline = read_baseline(request.baseline, layer=layer)
    elif request.rescale:
        others = unrelated(pairs)
        baseline = score_pairs(embedder, others, weigh=weigh, encoded=encoded).mean(axis=0)
        told = ", ".join(f"{name} {b:.4f}" for name, b in zip(NAMES, baseline, strict=True))
        watch.note(f"baseline of {counted(len(others), 'pair')} put together at random: {told}")
    if baseline is not None:
        scores = rescaled(scores, baseline)
    return {
        "model": encoder.name,
        "layer": layer,
        "idf": request.idf,
        "baseline": None if baseline is None else dict(zip(NAMES, baseline.tolist(), strict=True)),
        "n": len(pairs),
        "metrics": _with_intervals(scores),
        "pairs": [_answer(pair, row) for pair, row in zip(pairs, scores.tolist(), strict=True)],
    }


def _answer(pair: Pair, row: Sequence[float]) -> dict[str, Any]:
    texts = {"id": pair.id, "reference": pair.reference, "candidate": pair.candidate}
    return texts | dict(zip(NAMES, row, strict=True))


def _with_intervals(scores: FloatArray) -> dict[str, dict[str, float]]:
    """Means over the pairs, with the percentile intervals of their bootstrap."""
    rows = np.column_stack([scores, np.ones(len(scores))])

    def means(totals: FloatArray) -> dict[str, FloatArray]:
        return {name: totals[..., place] / totals[..., -1] for place, name in enumerate(NAMES)}

    limits = bootstrap(Statistic(rows, means))
    return {
        name: {"value": value, "low": limits[name][0], "high": limits[name][1]}
        for name, value in zip(NAMES, scores.mean(axis=0).tolist(), strict=True)
    }


def read_pairs(texts: TextRequest, *, watch: Watch) -> list[Pair]:
    """The pairs of one file, or of two whose rows belong together.

    Raises:
        DataError: there are none, or the rows of two files do not belong together.
    """
    files = texts.arguments
    if len(files) == 1:
        texts = _with_columns(texts, watch=watch)
        rows = [one for _, one in read_texts(replace(texts, pairs=True), watch=watch)]
        pairs = [Pair(one.id, one.text, one.pair or "") for one in rows]
    else:
        first, second = (
            [one for _, one in read_texts(replace(texts, arguments=(file,)), watch=watch)]
            for file in files
        )
        _check_rows(files, first, second)
        both = zip(first, second, strict=True)
        pairs = [Pair(one.id, one.text, other.text) for one, other in both]
    if not pairs:
        raise DataError("no pairs to compare", path=files[0])
    return pairs


def _with_columns(texts: TextRequest, *, watch: Watch) -> TextRequest:
    """The columns of a table whose names say which is which. Raises DataError where it is none."""
    (file,) = texts.arguments
    settings = input_settings(texts.overrides)
    source = Source(file, data=settings.data)
    if file == STDIN or any(key.endswith("_column") for key in settings.task):
        return texts
    if is_plain_text(source):
        hint = f"name what is compared with it: bertft bertscore {file} CANDIDATES"
        raise DataError("holds one text a line", path=file, hint=hint)
    columns = read_rows(source).columns
    reference, candidate = (next(iter(named(columns, one)), "") for one in (REFERENCE, CANDIDATE))
    if not (reference and candidate):
        return texts
    watch.note(f"{file}: references in '{reference}', candidates in '{candidate}'")
    own = (f"task.text_column={reference}", f"task.pair_column={candidate}")
    return replace(texts, overrides=(*texts.overrides, *own))


def _check_rows(
    files: Sequence[str], first: Sequence[TextExample], second: Sequence[TextExample]
) -> None:
    """Raise DataError where rows of two files do not belong together: a line is left blank, say."""
    lines = all(is_plain_text(Source(one, data=DataSettings())) for one in files)
    for one, other in zip(first, second, strict=False):
        if lines and one.line != other.line:
            file, line = (files[0], other.line) if one.line > other.line else (files[1], one.line)
            what = "is blank here and not in the other file"
            raise DataError(what, path=file, line=line, hint="the files go line by line")
    if len(first) != len(second):
        what = f"{len(first):,} texts, but {len(second):,} in {files[1]}"
        raise DataError(what, path=files[0], hint="each candidate has one reference")
