"""fill-mask: texts with [MASK] in, the most probable tokens for each mask out.

Several masks of a text are filled apart from each other, each as if the others stayed masked.

Shape legend: m masks of a text, k tokens kept for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from transformers import PreTrainedTokenizerBase

from bertft.contracts import Answer, Encoded, FloatArray
from bertft.errors import DataError, ModelError
from bertft.heads.pretraining import MaskedTokens, most_probable
from bertft.inside.encoders import Losses, OpenEncoder, open_encoder
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch

WINDOW = 512
MARK = "[MASK]"
"""What stands for the mask in texts, whatever the tokenizer calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRequest:
    """What ``bertft fill-mask`` is asked for."""

    texts: TextRequest
    encoder: EncoderRequest
    top_k: int = 5


def fill_mask(request: FillRequest, *, watch: Watch) -> Iterator[Answer]:
    """``masks``: for each mask of a text its ``tokens`` with their probabilities, best first;
    ``filled``: the text with the best ones.

    Raises:
        ModelError: the checkpoint carries no masked-LM head.
        DataError: a text without a mask.
    """
    encoder = open_encoder(request.encoder)
    mask_id = mask_of(encoder)
    extractor = encoder.extractor(
        MaskedTokens(encoder.name, mask_id, reduce=most_probable(request.top_k))
    )
    watch.note(f"model: {encoder.name}")
    losses = Losses(encoder, watch=watch)
    examples = read_texts(request.texts, watch=watch)
    while window := list(islice(examples, WINDOW)):
        texts = [one.text.replace(MARK, str(encoder.tokenizer.mask_token)) for _, one in window]
        encoded = extractor.encode(texts)
        losses.see(texts, encoded)
        for (file, example), one in zip(window, encoded, strict=True):
            _check(file, example, one, mask_id=mask_id)
        for (file, example), one, best in zip(
            window, encoded, extractor.read(encoded), strict=True
        ):
            place = origin(file, example, request=request.texts)
            filled = _filled(one, best, encoder.tokenizer, mask_id=mask_id)
            yield {**place, "text": example.text, **filled}
    losses.tell(extractor.max_length)


def mask_of(encoder: OpenEncoder) -> int:
    """The id of the mask token. Raises ModelError where the tokenizer has none."""
    found = encoder.tokenizer.mask_token_id
    if not isinstance(found, int):
        raise ModelError(f"{encoder.name}: the tokenizer has no mask token")
    return found


def _check(file: str, example: TextExample, one: Encoded, *, mask_id: int) -> None:
    if mask_id in one.input_ids:
        return
    where = file or f"text {example.id}"
    if one.dropped and MARK in example.text:
        hint = "shorten the text, or set --max-length"
        raise DataError("the mask was cut off", path=where, line=example.line, hint=hint)
    hint = f"write {MARK} where a word is missing"
    raise DataError("no mask in the text", path=where, line=example.line, hint=hint)


def _filled(
    one: Encoded, best: FloatArray, tokenizer: PreTrainedTokenizerBase, *, mask_id: int
) -> dict[str, Any]:
    """``masks`` and ``filled`` from log probabilities and ids [m, k, 2]."""
    masks: list[list[dict[str, Any]]] = [
        [
            {"token": str(tokenizer.decode([int(number)])).strip(), "probability": math.exp(value)}
            for value, number in row
        ]
        for row in best
    ]
    first = iter(best[:, 0, 1])
    ids = [int(next(first)) if number == mask_id else number for number in one.input_ids]
    return {"masks": masks, "filled": tokenizer.decode(ids, skip_special_tokens=True)}
