"""fill-mask: texts with [MASK] in, the most probable tokens for each mask out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from bertft.contracts import Answer
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.filling import Filler, MaskedText
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.watch import Watch

WINDOW = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRequest:
    """What ``bertft fill-mask`` is asked for."""

    texts: TextRequest
    encoder: EncoderRequest
    top_k: int = 5


def fill_mask(request: FillRequest, *, watch: Watch) -> Iterator[Answer]:
    """For each text what ``Filler.decode`` says.

    Raises:
        ModelError: the checkpoint carries no masked-LM head.
        DataError: a text without a mask.
    """
    encoder = open_encoder(request.encoder)
    filler = Filler(encoder, most=request.top_k)
    watch.note(f"model: {encoder.name}")
    losses = Losses(encoder, watch=watch)
    examples = read_texts(request.texts, watch=watch)
    while window := list(islice(examples, WINDOW)):
        texts = [MaskedText(one.id, one.line, one.text) for _, one in window]
        encoded = filler.encode(texts)
        losses.see([one.text for one in texts], encoded)
        for (file, _), text, one in zip(window, texts, encoded, strict=True):
            filler.check(text, one, file=file)
        rows = filler.logits(encoded)
        for (file, example), text, one, row in zip(window, texts, encoded, rows, strict=True):
            place = origin(file, example, request=request.texts)
            yield place | filler.decode(text, [(one, row)], top_k=request.top_k)
    losses.tell(filler.max_length)
