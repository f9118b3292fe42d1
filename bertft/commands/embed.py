"""embed: texts in, vectors of the encoder's layers out, per token, word or sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertft.contracts import Encoded, FloatArray
from bertft.errors import BertftError
from bertft.inside.embedder import WINDOW, Embedder, View, check_view, encoded_windows
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.hidden import merge_words
from bertft.inside.request import EncoderRequest
from bertft.inside.vector_files import Embedding, Tokens, vector_format, vector_output
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """What ``bertft embed`` is asked for."""

    texts: TextRequest
    encoder: EncoderRequest
    view: View
    out: str = ""
    overwrite: bool = False


def embed_files(request: EmbedRequest, *, watch: Watch) -> int:
    """Write the vectors of every text, in order; returns how many. Memory does not grow.

    Raises:
        BertftError: the files, the model, the view or ``out`` is at fault.
    """
    vector_format(request.out, by_token=request.view.level == "token")
    check_view(request.view)
    encoder = open_encoder(request.encoder)
    embedder = Embedder(encoder, request.view)
    watch.note(
        f"model: {encoder.name}" + (f"; {embedder.description}" * bool(embedder.description))
    )
    losses = Losses(encoder, watch=watch)
    examples = read_texts(request.texts, watch=watch)
    with vector_output(request.out, embedder.layout, overwrite=request.overwrite) as write:
        for window in encoded_windows(examples, embedder, losses):
            vectors = embedder.vectors([one for _, _, one in window])
            write(
                [
                    _embedding(
                        origin(file, example, request=request.texts), example, one, row, embedder
                    )
                    for (file, example, one), row in zip(window, vectors, strict=True)
                ]
            )
    losses.tell(embedder.extractor.max_length)
    return losses.texts


def embed(texts: Sequence[str], *, encoder: EncoderRequest, view: View) -> FloatArray:
    """Sentence vectors [N, ...] of texts in memory (Python API)."""
    if isinstance(texts, str):
        raise TypeError("embed takes a list of texts, not one text")
    if view.level != "sentence":
        raise BertftError("embed from Python gives sentence vectors", hint="use level='sentence'")
    embedder = Embedder(open_encoder(encoder), view)
    rows = [
        row
        for start in range(0, len(texts), WINDOW)
        for row in embedder.vectors(embedder.encode(texts[start : start + WINDOW]))
    ]
    return np.stack(rows) if rows else np.zeros((0, *embedder.layout.shape), dtype=np.float32)


def _embedding(
    place: dict[str, str], example: TextExample, one: Encoded, row: FloatArray, embedder: Embedder
) -> Embedding:
    tokens = None
    if embedder.layout.by_token:
        assert one.offsets is not None
        offsets = one.offsets
        if embedder.view.words:
            offsets, row = merge_words(example.text, offsets, row)
            texts, ids = [example.text[start:end] for start, end in offsets], []
        else:
            ids = list(one.input_ids)
            texts = list(embedder.extractor.tokenizer.convert_ids_to_tokens(ids))
        tokens = Tokens(texts, ids, offsets)
    return Embedding(place, example.line, example.text, row, one.dropped > 0, tokens)
