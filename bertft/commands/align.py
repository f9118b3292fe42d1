"""align: two files in, the pairs of their texts that say the same out, also across languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bertft.contracts import Answer, FloatArray
from bertft.errors import BertftError, DataError
from bertft.inside.alignment import align as align_vectors
from bertft.inside.embedder import Embedder, View, sentence_windows
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest, read_texts
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch
from bertft.words import counted

THRESHOLD = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignRequest:
    """What ``bertft align`` is asked for: the two files of ``texts``, and which encoder."""

    texts: TextRequest
    encoder: EncoderRequest
    prompt: str | None = None
    threshold: float = THRESHOLD


def align(request: AlignRequest, *, watch: Watch) -> Iterator[Answer]:
    """The pairs, in the order of the first file: ids, texts, ``margin`` and ``similarity``.

    Raises:
        BertftError: the files or the encoder are at fault.
    """
    if len(request.texts.arguments) != 2:
        raise BertftError("align compares two files", hint="bertft align english.txt korean.txt")
    encoder = open_encoder(request.encoder)
    embedder = Embedder(encoder, View(normalize=True, prompt=request.prompt))
    watch.note(f"model: {encoder.name}; {embedder.description}")
    losses = Losses(encoder, watch=watch)
    sides = []
    for file in request.texts.arguments:
        texts = replace(request.texts, arguments=(file,))
        sides.append(_vectors(texts, embedder, losses, watch=watch))
        if not sides[-1][0]:
            raise DataError("no text to compare", path=file)
    (first, a), (second, b) = sides
    found = align_vectors(a, b, threshold=request.threshold)
    for one in found:
        own, other = first[one.first], second[one.second]
        texts_of = {"id": own.id, "text": own.text, "other_id": other.id, "other_text": other.text}
        yield {"margin": one.margin, "similarity": one.similarity, **texts_of}
    losses.tell(embedder.extractor.max_length)
    watch.note(
        f"{len(found):,} pairs of a margin of {request.threshold:g} or more; without one: "
        f"{len(first) - len(found):,} of {len(first):,} and {len(second) - len(found):,} of "
        f"{len(second):,} texts"
    )


def _vectors(
    texts: TextRequest, embedder: Embedder, losses: Losses, *, watch: Watch
) -> tuple[list[TextExample], FloatArray]:
    """The texts of a file, and their unit vectors [N, W]."""
    read: list[TextExample] = []
    blocks: list[FloatArray] = []
    given = list(read_texts(texts, watch=watch))
    held = [(file, one) for file, one in given if one.text.strip()]
    if empty := len(given) - len(held):
        watch.note(f"{texts.arguments[0]}: {counted(empty, 'row')} without a text: left out")
    for window, vectors in sentence_windows(held, embedder, losses):
        read += [one for _, one in window]
        blocks.append(vectors)
    none = np.zeros((0, *embedder.layout.shape), dtype=np.float32)
    return read, np.concatenate([none, *blocks])
