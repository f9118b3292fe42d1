"""Extractive summaries: sentences in, those that say most of the rest out, in their order.

A sentence counts by its centrality, the mean cosine to all sentences of its text, and by its cosine
to a query where one is given. Sentences are taken one by one by maximal marginal relevance
(Carbonell and Goldstein 1998): what is more like a sentence that was taken already than two of the
text are on average counts less.

Nothing is written anew, so that nothing is said that the text does not say; what a sentence refers
to ("he", "this") may be missing.

Shape legend: N sentences, W width of a vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bertft.contracts import FloatArray
from bertft.loaders.blocks import Block, width_of
from bertft.loaders.documents import split_sentences

RELEVANCE = 0.5
"""Share of the relevance, beside that of being unlike what was taken."""
QUERY = 0.7
"""Share of the query in the relevance, beside centrality."""
SHORT = 20
"""Columns below which a sentence is a heading or a scrap, and not taken while there are others."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, its 1-based number in its text, and where the block that holds it begins."""

    text: str
    number: int
    unit: str
    place: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A sentence of a summary: mean cosine to all others, cosine to the query if there is one."""

    sentence: Sentence
    centrality: float
    similarity: float | None


def sentences_of(blocks: Iterable[Block]) -> Iterator[Sentence]:
    """The sentences of a text, numbered."""
    number = 0
    for block in blocks:
        for text in split_sentences(block.text):
            number += 1
            yield Sentence(text, number, block.unit, block.number)


def summary(
    sentences: list[Sentence], vectors: FloatArray, *, count: int, query: FloatArray | None = None
) -> list[Taken]:
    """``count`` of the sentences, whose unit vectors [N, W] are given, in the order of the text."""
    central = vectors @ vectors.mean(axis=0)  # [N]
    near = None if query is None else vectors @ query  # [N]
    relevance = scaled(central)
    if near is not None:
        relevance = (1 - QUERY) * relevance + QUERY * scaled(near)
    whole = [place for place, one in enumerate(sentences) if width_of(one.text) >= SHORT]
    may = whole if len(whole) >= count else list(range(len(sentences)))
    taken = [may[place] for place in diverse(vectors[may], relevance[may], count=count)]
    return [
        Taken(sentences[place], float(central[place]), None if near is None else float(near[place]))
        for place in sorted(taken)
    ]


def diverse(vectors: FloatArray, relevance: FloatArray, *, count: int) -> list[int]:
    """Places of ``count`` unit vectors, by maximal marginal relevance; the earlier wins."""
    taken: list[int] = []
    mean = vectors.mean(axis=0)
    usual = min(float(mean @ mean), 0.99)  # the mean cosine of two: encoders differ much in it
    like = np.zeros(len(vectors))  # the largest cosine to one that was taken, above the usual one
    left = np.ones(len(vectors), dtype=bool)
    while len(taken) < min(count, len(vectors)):
        worth = RELEVANCE * relevance - (1 - RELEVANCE) * like
        place = int(np.argmax(np.where(left, worth, -np.inf)))
        taken.append(place)
        left[place] = False
        like = np.maximum(like, (vectors @ vectors[place] - usual) / (1 - usual))
    return taken


def scaled(values: FloatArray) -> FloatArray:
    """Values from 0 to 1; all 0 where they are alike."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low) if high > low else np.zeros_like(values))
