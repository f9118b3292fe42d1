"""context: one word in several sentences: how its vector moves with its context, layer by layer.

Shape legend: S sentences, n layers (embeddings included), L tokens, H hidden width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bertft.encoder.load import read_config
from bertft.errors import BertftError
from bertft.heads.hidden import HiddenStates
from bertft.inside.context import find_word, similarities
from bertft.inside.embedder import choose_layers
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.hidden import pieces_within
from bertft.inside.request import EncoderRequest
from bertft.reports.context_page import check_plot, write_plot
from bertft.spans import Span
from bertft.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRequest:
    """What ``bertft context`` is asked for; ``out`` is a picture, .html, .svg or .png."""

    word: str
    sentences: tuple[str, ...]
    encoder: EncoderRequest
    layers: str = "all"
    out: str = ""
    overwrite: bool = False


def word_in_context(request: ContextRequest, *, watch: Watch) -> dict[str, Any]:
    """``word``, ``model``, ``sentences`` (text, span and tokens of the word), ``layers`` and
    ``similarity``: the cosine of the word's vectors in each two sentences, per layer [n, S, S].

    The word's vector is the mean of its tokens' vectors.

    Raises:
        BertftError: fewer than two sentences, one without the word, or an output of another kind.
    """
    check_plot(request.out, sentences=len(request.sentences))
    if len(request.sentences) < 2:
        hint = 'bertft context bank "the bank of a river" "money in the bank"'
        raise BertftError("a word is compared in two sentences or more", hint=hint)
    spans = [_only(request, number, watch=watch) for number in range(len(request.sentences))]
    encoder = open_encoder(request.encoder)
    config: Any = read_config(encoder.folder)
    layers = choose_layers(request.layers, last=int(config.num_hidden_layers))
    extractor = encoder.extractor(HiddenStates(layers))
    encoded = extractor.encode(request.sentences)
    Losses(encoder, watch=watch).see(request.sentences, encoded)
    vectors, sentences = [], []
    for text, span, one, states in zip(
        request.sentences, spans, encoded, extractor.read(encoded), strict=True
    ):
        assert one.offsets is not None
        pieces = pieces_within(one.offsets, span)
        if not pieces:
            reason = f"the word is not among the first {extractor.max_length} tokens of '{text}'"
            raise BertftError(reason, hint="shorten the sentence, or set --max-length")
        tokens = extractor.tokenizer.convert_ids_to_tokens([one.input_ids[i] for i in pieces])
        sentences.append({"text": text, "start": span[0], "end": span[1], "tokens": tokens})
        vectors.append(states[pieces].mean(axis=0).reshape(len(layers), -1))  # [n, H]
    result = {
        "word": request.word,
        "model": encoder.name,
        "sentences": sentences,
        "layers": list(layers),
        "similarity": similarities(np.stack(vectors)).round(6).tolist(),
    }
    if request.out:
        write_plot(result, request.out, overwrite=request.overwrite, watch=watch)
    return result


def _only(request: ContextRequest, number: int, *, watch: Watch) -> Span:
    """The word's span in a sentence; the first, which is said, where there are several."""
    text = request.sentences[number]
    spans = find_word(text, request.word)
    if not spans:
        hint = "it is looked for as a whole word; Korean words with or without particles"
        reason = f"sentence {number + 1} does not hold the word '{request.word}': {text}"
        raise BertftError(reason, hint=hint)
    if len(spans) > 1:
        watch.note(f"sentence {number + 1} holds the word {len(spans)} times: the first is taken")
    return spans[0]
