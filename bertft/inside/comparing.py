"""Texts compared by the cosine of their sentence vectors: pairs, the nearest, near duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from bertft.contracts import Answer, FloatArray
from bertft.errors import BertftError
from bertft.evaluation.correlation import pearson, spearman
from bertft.inside.embedder import WINDOW, Embedder, View, sentence_windows
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.request import EncoderRequest
from bertft.inside.similarity import Nearest, cosine, near_pairs
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.tasks.text_rows import TextExample
from bertft.watch import Watch

Read = tuple[str, TextExample]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarRequest:
    """What ``bertft similar`` is asked for: ``pairs``, files with ``query`` or ``threshold``, or
    else files whose rows are pairs."""

    texts: TextRequest
    encoder: EncoderRequest
    view: View
    pairs: tuple[tuple[str, str], ...] = ()
    query: str = ""
    threshold: float | None = None
    top_k: int = 10


class Similarity:
    """The answers to a request, streamed, and what is to be said about them at the end."""

    def __init__(self, request: SimilarRequest, *, watch: Watch) -> None:
        self._request, self._watch = request, watch
        encoder = open_encoder(request.encoder)
        self._embedder = Embedder(encoder, replace(request.view, normalize=True))
        if len(self._embedder.layout.shape) > 1:
            hint = "choose one layer, or add --combine mean"
            raise BertftError("similar compares one vector per text", hint=hint)
        watch.note(f"model: {encoder.name}; {self._embedder.description}")
        self._losses = Losses(encoder, watch=watch)

    def answers(self) -> Iterator[Answer]:
        """Answers in the order of the input; nearest first for a query.

        Raises:
            BertftError: the files are at fault.
        """
        if self._request.pairs:
            given = enumerate(self._request.pairs, start=1)
            yield from self._pairs(("", TextExample(str(i), 0, *pair)) for i, pair in given)
        elif self._request.query:
            yield from self._nearest()
        elif self._request.threshold is not None:
            yield from self._duplicates(self._request.threshold)
        else:
            pairs = replace(self._request.texts, pairs=True)
            yield from self._pairs(read_texts(pairs, watch=self._watch))
        self._losses.tell(self._embedder.extractor.max_length)

    def _pairs(self, examples: Iterable[Read]) -> Iterator[Answer]:
        remaining = iter(examples)
        gold: list[float] = []
        found: list[float] = []
        while window := list(islice(remaining, WINDOW)):
            first = self._vectors([one.text for _, one in window])
            second = self._vectors([one.pair or "" for _, one in window])
            for (file, one), value in zip(window, cosine(first, second).tolist(), strict=True):
                place = origin(file, one, request=self._request.texts)
                answer: dict[str, Any] = {**place, "text": one.text, "text_pair": one.pair}
                if isinstance(one.gold, float):
                    gold.append(one.gold)
                    found.append(value)
                    answer["gold"] = one.gold
                yield answer | {"similarity": value}
        if gold:
            scores = f"Spearman {spearman(gold, found):.4f}, Pearson {pearson(gold, found):.4f}"
            self._watch.note(f"{len(gold):,} pairs against '{self._request.texts.gold}': {scores}")

    def _nearest(self) -> Iterator[Answer]:
        nearest = Nearest(self._vectors([self._request.query]), self._request.top_k)
        kept: dict[int, Read] = {}
        for window, vectors in self._windows():
            before = nearest.seen
            nearest.add(vectors)
            kept |= {before + place: one for place, one in enumerate(window)}
            kept = {index: kept[index] for index in nearest.indices[0].tolist()}
        pairs = zip(nearest.indices[0].tolist(), nearest.scores[0].tolist(), strict=True)
        for rank, (index, value) in enumerate(pairs, start=1):
            file, one = kept[index]
            place = origin(file, one, request=self._request.texts)
            yield {"rank": rank, "similarity": value, **place, "text": one.text}

    def _duplicates(self, threshold: float) -> Iterator[Answer]:
        """Pairs of a text and an earlier one; memory holds every text and its vector."""
        read: list[Read] = []
        blocks: list[FloatArray] = []
        for window, vectors in self._windows():
            read += window
            blocks.append(vectors)
        more = 0
        for match in near_pairs(blocks, threshold=threshold, most=self._request.top_k):
            more += match.more
            file, one = read[match.index]
            place = origin(file, one, request=self._request.texts)
            for index, value in match.others:
                yield {"similarity": value, **place, "text": one.text, **self._other(read[index])}
        if more:
            what = f"{more:,} more pairs above {threshold}"
            self._watch.note(f"{what}: each text names its {self._request.top_k} nearest (--top-k)")

    def _other(self, read: Read) -> dict[str, str]:
        file, one = read
        place = origin(file, one, request=self._request.texts)
        return {f"other_{name}": value for name, value in {**place, "text": one.text}.items()}

    def _windows(self) -> Iterator[tuple[list[Read], FloatArray]]:
        examples = read_texts(self._request.texts, watch=self._watch)
        return sentence_windows(examples, self._embedder, self._losses)

    def _vectors(self, texts: list[str]) -> FloatArray:
        """Unit vectors [N, W] of texts in memory."""
        encoded = self._embedder.encode(texts)
        self._losses.see(texts, encoded)
        return np.stack(self._embedder.vectors(encoded))
