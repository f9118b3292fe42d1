"""tokenize: texts (or pairs) in, what the model gets of them out: tokens, ids, masks, offsets.

Without ``length`` nothing is cut or padded. Offsets are characters of the text as it was given, of
the second text where ``sequences`` says 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from bertft.contracts import Answer
from bertft.errors import BertftError
from bertft.inside.encoders import Losses, open_reader
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.spans import Composed, compose
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WINDOW = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizeRequest:
    """What ``bertft tokenize`` is asked for; ``pair`` is the second text of every one."""

    texts: TextRequest
    encoder: EncoderRequest
    pair: str | None = None
    length: int | None = None


def tokenize(request: TokenizeRequest, *, watch: Watch) -> Iterator[Answer]:
    """One answer per text, in order.

    Raises:
        BertftError: the files or the model are at fault, or ``length`` has no room for a text.
    """
    encoder = open_reader(request.encoder)
    tokenizer = encoder.tokenizer
    specials = tokenizer.num_special_tokens_to_add(pair=request.pair is not None)
    if request.length is not None and request.length <= specials:
        reason = f"--length {request.length} has no room beside {specials} special tokens"
        raise BertftError(reason, hint=f"use --length {specials + 1} or more")
    losses = Losses(encoder, watch=watch)
    examples = read_texts(request.texts, watch=watch)
    while window := list(islice(examples, WINDOW)):
        if request.pair is not None:
            window = [(file, replace(one, pair=request.pair)) for file, one in window]
        losses.see([f"{one.text} {one.pair or ''}" for _, one in window], ())
        shown = _tokenized([one for _, one in window], tokenizer, length=request.length)
        for (file, one), fields in zip(window, shown, strict=True):
            pair = {} if one.pair is None else {"text_pair": one.pair}
            yield {**origin(file, one, request=request.texts), "text": one.text, **pair, **fields}


def _tokenized(
    examples: Sequence[TextExample], tokenizer: PreTrainedTokenizerBase, *, length: int | None
) -> Iterator[dict[str, Any]]:
    texts = [[compose(text) for text in _texts(one)] for one in examples]
    settings: dict[str, Any] = {}
    if length is not None:
        settings = {"padding": "max_length", "truncation": "longest_first", "max_length": length}
    seconds = [pair.text for _, *rest in texts for pair in rest]
    found: Any = tokenizer(
        [first.text for first, *_ in texts],
        seconds or None,
        return_attention_mask=True,
        return_offsets_mapping=True,
        verbose=False,
        **settings,
    )
    for number, own in enumerate(texts):
        ids = found["input_ids"][number]
        sequences = found.sequence_ids(number)
        spans = zip(sequences, found["offset_mapping"][number], strict=True)
        yield {
            "tokens": tokenizer.convert_ids_to_tokens(ids),
            "ids": ids,
            "attention_mask": found["attention_mask"][number],
            "token_type_ids": found["token_type_ids"][number] if "token_type_ids" in found else [],
            "offsets": [[0, 0] if s is None else _span(own[s], *span) for s, span in spans],
            "sequences": sequences,
            "decoded": tokenizer.decode(ids, skip_special_tokens=True),
            "truncated": bool(found.encodings[number].overflowing),
        }


def _texts(one: TextExample) -> list[str]:
    return [one.text] if one.pair is None else [one.text, one.pair]


def _span(text: Composed, start: int, end: int) -> list[int]:
    """Characters of the input, without the white space that SentencePiece counts to a piece."""
    while start < end and text.text[start].isspace():
        start += 1
    return list(text.original(start, end))
