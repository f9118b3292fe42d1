"""score: texts in, their pseudo-log-likelihood and pseudo-perplexity out.

Each token is masked in turn and predicted from all others (Salazar et al. 2020, "Masked Language
Model Scoring"): PLL(W) = sum over t of log P(w_t | W without w_t), and for texts with N tokens in
all PPPL = exp(-sum of PLL / N). A text of L tokens costs L forward passes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from bertft.contracts import Answer, Encoded
from bertft.encoder.pieces import Frame
from bertft.errors import DataError
from bertft.heads.pretraining import MaskedTokens, likelihood_of
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.filling import mask_of
from bertft.inside.hidden import Extractor, masked_copies
from bertft.inside.request import EncoderRequest
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch

MAX_IDS = 2**20
"""Ids of all masked copies that are in memory at once, unless one text alone has more."""

CHUNK = 256
"""Texts that are tokenised together."""

Read = tuple[str, TextExample, Encoded]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """What ``bertft score`` is asked for."""

    texts: TextRequest
    encoder: EncoderRequest


def score(request: ScoreRequest, *, watch: Watch) -> Iterator[Answer]:
    """``tokens``, ``log_likelihood`` and ``perplexity`` (None without tokens) of each text.

    Raises:
        ModelError: the checkpoint carries no masked-LM head.
        DataError: a text holds a mask.
    """
    encoder = open_encoder(request.encoder)
    head = MaskedTokens(encoder.name, mask_of(encoder))
    extractor = encoder.extractor(head)
    frame = Frame.of(encoder.tokenizer)
    watch.note(f"model: {encoder.name}")
    losses = Losses(encoder, watch=watch)
    tokens, total = 0, 0.0
    for window in _windows(read_texts(request.texts, watch=watch), extractor, losses):
        values = _likelihoods([one for *_, one in window], extractor, frame, head)
        for (file, example, _), found in zip(window, values, strict=True):
            tokens += len(found)
            total += sum(found)
            place = origin(file, example, request=request.texts)
            yield {**place, "text": example.text, **_scores(len(found), sum(found))}
    losses.tell(extractor.max_length)
    if tokens and losses.texts > 1:
        watch.note(f"all {tokens:,} tokens together: perplexity {math.exp(-total / tokens):.2f}")


def _scores(tokens: int, likelihood: float) -> dict[str, float | int | None]:
    perplexity = math.exp(min(700.0, -likelihood / tokens)) if tokens else None
    return {"tokens": tokens, "log_likelihood": likelihood, "perplexity": perplexity}


def _windows(
    examples: Iterable[tuple[str, TextExample]], extractor: Extractor, losses: Losses
) -> Iterator[list[Read]]:
    """Texts whose masked copies fit into memory together."""
    window: list[Read] = []
    ids = 0
    remaining = iter(examples)
    while chunk := list(islice(remaining, CHUNK)):
        texts = [example.text for _, example in chunk]
        encoded = extractor.encode(texts)
        losses.see(texts, encoded)
        for (file, example), one in zip(chunk, encoded, strict=True):
            _check(file, example, one, extractor)
            if window and ids + len(one) ** 2 > MAX_IDS:
                yield window
                window, ids = [], 0
            window.append((file, example, one))
            ids += len(one) ** 2
    if window:
        yield window


def _check(file: str, example: TextExample, one: Encoded, extractor: Extractor) -> None:
    if extractor.tokenizer.mask_token_id in one.input_ids:
        hint = "score takes whole texts; 'bertft fill-mask' fills masks"
        where = file or f"text {example.id}"
        raise DataError("the text holds a mask", path=where, line=example.line, hint=hint)


def _likelihoods(
    texts: list[Encoded], extractor: Extractor, frame: Frame, head: MaskedTokens
) -> list[list[float]]:
    """The log probability of each token, given the others, for each text."""
    copies: list[Encoded] = []
    wanted: list[int] = []
    counts = []
    for one in texts:
        own, tokens = masked_copies(one, frame, mask_id=head.mask_id)
        copies += own
        wanted += tokens
        counts.append(len(own))
    found = extractor.read(copies, readout=replace(head, reduce=likelihood_of(wanted)))
    ends = np.cumsum(counts)
    values = [float(one[0]) for one in found]
    return [values[end - count : end] for count, end in zip(counts, ends.tolist(), strict=True)]
