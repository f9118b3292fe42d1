"""next-sentence: pairs of texts in, whether the second follows the first out (BERT's second task).

Shape legend: 2 logits per pair: follows, was drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.evaluation.probabilities import softmax
from bertft.heads.pretraining import NextSentence
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.tasks.long_text import LongText
from bertft.tasks.text_rows import TextExample, encode_examples
from bertft.watch import Watch

WINDOW = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRequest:
    """What ``bertft next-sentence`` is asked for: two texts, or files whose rows are pairs."""

    texts: TextRequest
    encoder: EncoderRequest


def next_sentence(request: NextRequest, *, watch: Watch) -> Iterator[Answer]:
    """``follows`` and its ``probability`` for each pair, in order.

    Raises:
        ModelError: the checkpoint carries no next-sentence head.
    """
    examples = _pairs(request, watch=watch)
    encoder = open_encoder(request.encoder)
    extractor = encoder.extractor(NextSentence(encoder.name))
    watch.note(f"model: {encoder.name}")
    losses = Losses(encoder, watch=watch)
    while window := list(islice(examples, WINDOW)):
        encoded = encode_examples(
            [one for _, one in window],
            encoder.tokenizer,
            targets=[None] * len(window),
            pairs=True,
            max_length=extractor.max_length,
            rule=LongText("truncate"),
        )
        losses.see([f"{one.text} {one.pair}" for _, one in window], encoded)
        for (file, one), logits in zip(window, extractor.read(encoded), strict=True):
            value = float(softmax(logits)[0])
            fields = {"text": one.text, "text_pair": one.pair}
            place = origin(file, one, request=request.texts)
            yield {**place, **fields, "follows": value > 0.5, "probability": value}
    losses.tell(extractor.max_length)


def _pairs(request: NextRequest, *, watch: Watch) -> Iterator[tuple[str, TextExample]]:
    if request.texts.has_files:
        return read_texts(replace(request.texts, pairs=True), watch=watch)
    texts = request.texts.arguments
    if len(texts) != 2:
        hint = 'bertft next-sentence "It rains." "Take an umbrella."'
        raise BertftError(f"two texts are needed, not {len(texts)}", hint=hint)
    return iter([("", TextExample("1", 0, *texts))])
