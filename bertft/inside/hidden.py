"""Texts to what a model says of them: hidden states, pooled vectors, masked tokens.

An Extractor is an opened model with one readout (heads/hidden.py, heads/pretraining.py). All verbs
that look inside an encoder read through it, so that they cut, batch and pack alike, and like
training and predict do.

Shape legend: L tokens of one text, U words of it, W whatever a readout gives per token.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bertft.contracts import Encoded, FloatArray, OffsetArray, Readout
from bertft.encoder.packing import choose_batcher
from bertft.encoder.pieces import Frame, cut_into_pieces, placed
from bertft.engines.on_torch import own_memory
from bertft.errors import ModelError
from bertft.spans import Span, compose, words_of
from bertft.training.inference import compute_logits
from bertft.training.runtime import Runtime

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Extractor:
    """A model on its device, its tokenizer, and what is read of it."""

    def __init__(
        self,
        folder: Path,
        tokenizer: PreTrainedTokenizerBase,
        *,
        readout: Readout,
        max_length: int,
        runtime: Runtime,
    ) -> None:
        self.tokenizer = tokenizer
        self.readout = readout
        self.max_length = max_length
        self.runtime = runtime
        self.model = readout.build(folder).to(runtime.device)  # type: ignore[arg-type]
        self.batcher = choose_batcher(self.model, tokenizer, head=readout)

    @property
    def precision(self) -> str:
        """What its products run in."""
        return self.runtime.precision

    def own_memory(self) -> None:
        """As an engine does."""
        own_memory(self.model)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """One Encoded per text, cut to ``max_length`` tokens; see ``encode_tokens``."""
        return encode_tokens(texts, self.tokenizer, max_length=self.max_length)

    def read(
        self, encoded: Sequence[Encoded], *, readout: Readout | None = None
    ) -> list[FloatArray]:
        """What the readout (or another one, of the same model) gives, in the order given.

        Raises:
            ModelError: a value is not finite.
        """
        found = compute_logits(
            self.model,
            encoded,
            head=readout or self.readout,
            batcher=self.batcher,
            precision=self.precision,
        )
        if not all(np.isfinite(one).all() for one in found):
            hint = "try --precision fp32; if it stays, the model's weights are damaged"
            raise ModelError("the model computes values that are not finite", hint=hint)
        return found


def encode_tokens(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_length: int
) -> list[Encoded]:
    """One Encoded per text, composed (NFC), with the special tokens of a single text.

    ``offsets`` [L, 2] are characters of the text as it was given, (0, 0) for special tokens; what
    exceeds ``max_length`` is cut off at the end and counted in ``dropped``.
    """
    frame = Frame.of(tokenizer)
    room = max_length - frame.single_specials
    composed = [compose(text) for text in texts]
    encoded = []
    for number, pieces in enumerate(cut_into_pieces([one.text for one in composed], tokenizer)):
        kept = range(min(len(pieces), room))
        ids, types, first = frame.single(pieces, kept)
        offsets = pieces.offsets[: len(kept)]
        if composed[number].text != texts[number]:
            spans = [composed[number].original(int(start), int(end)) for start, end in offsets]
            offsets = np.array(spans, dtype=np.int32).reshape(-1, 2)
        rows = placed(offsets, first=first, length=len(ids))
        dropped = len(pieces) - len(kept)
        encoded.append(Encoded(ids, types, number, offsets=rows, dropped=dropped))
    return encoded


def pieces_within(offsets: OffsetArray, span: Span) -> list[int]:
    """Numbers of the tokens that share a character with a span of the text."""
    starts, ends = offsets.T
    return [int(i) for i in np.flatnonzero((starts < span[1]) & (ends > span[0]) & (starts < ends))]


def merge_words(
    text: str, offsets: OffsetArray, vectors: FloatArray
) -> tuple[OffsetArray, FloatArray]:
    """Spans [U, 2] of the text's words, and the mean of each word's token vectors [U, ...].

    Words are those of ``spans.words_of``, in characters; a token that reaches over several words
    counts for each of them. Words without a token (cut off, or unknown to the tokenizer) are left
    out.
    """
    spans, rows = [], []
    for word in words_of(text):
        if inside := pieces_within(offsets, word):
            spans.append(word)
            rows.append(vectors[inside].mean(axis=0))
    if not rows:
        return np.zeros((0, 2), dtype=np.int32), vectors[:0]
    return np.array(spans, dtype=np.int32), np.stack(rows)


def masked_copies(one: Encoded, frame: Frame, *, mask_id: int) -> tuple[list[Encoded], list[int]]:
    """A copy for each token but the special ones, with that token masked, and what stood there."""
    copies, wanted = [], []
    for place in range(len(frame.before), len(one) - len(frame.end)):
        ids = array("i", one.input_ids)
        wanted.append(ids[place])
        ids[place] = mask_id
        copies.append(replace(one, input_ids=ids))
    return copies, wanted
