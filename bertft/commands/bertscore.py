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
from bertft.loaders.rows import is_plain_text
from bertft.loaders.source import Source
from bertft.prediction.texts import TextRequest, read_texts
from bertft.settings import DataSettings
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch
from bertft.words import counted


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
