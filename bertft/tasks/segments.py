"""Documents as token ids go in; segments that fit the model come out: single ones, or pairs.

Pairs follow google-research/bert create_pretraining_data.py (create_instances_from_document), but
that the coin is fair: there a chunk of one sentence always gets a random second text, so that the
length of the first tells the class. Here nothing about the first text depends on the coin.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from bertft.rows import Bytes, Mapped, Rows

Tokens: TypeAlias = "array[int]"
Sentences: TypeAlias = "Sequence[Tokens]"

FOLLOWS, RANDOM = 0, 1
"""Classes of a pair, as BertForPreTraining counts them."""
SHORT_SHARE = 0.1
"""Share of sequences that are made shorter at random, so that the model knows short texts too."""


@dataclass(frozen=True, slots=True)
class Segments:
    """One or two texts of a model input; ``kind`` is the class of a pair, ``source`` the document
    that the second text is of, ``dropped`` the tokens of this document that were cut off."""

    first: Tokens
    second: Tokens | None = None
    kind: int | None = None
    source: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pair begins: the index of a document and of its sentence; ``tokens`` it asks for."""

    document: int
    sentence: int
    tokens: int


class TokenRows(Rows["Sentences"]):
    """Documents as the token ids of their sentences, side by side (rows.py says where)."""

    def __init__(self, documents: Iterable[Sentences]) -> None:
        self._ids, self._ends, self._bounds = Bytes(), array("q", [0]), array("q", [0])
        for document in documents:
            for sentence in document:
                self._ids.extend(sentence.tobytes())
                self._ends.append(len(self._ids))
            self._bounds.append(len(self._ends) - 1)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def _made(self, number: int) -> Sentences:
        return Mapped(self._sentence, range(self._bounds[number], self._bounds[number + 1]))

    def _sentence(self, number: int) -> Tokens:
        return array("i", self._ids[self._ends[number] : self._ends[number + 1]])


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents, and the indices of those of two sentences or more, which give pairs.

    Both texts of a pair have ``room`` tokens together at most.
    """

    documents: Sequence[Sentences]
    partners: Sequence[int]
    room: int

    def pairs(self, index: int, draw: random.Random) -> Iterator[tuple[Place, Segments]]:
        """Pairs of one of ``partners``, half of them with a second text of another one.

        Sentences that a random second text has put aside are read again. A last sentence that
        nothing follows comes alone.
        """
        start = 0
        while start < len(self.documents[index]):
            short = draw.random() < SHORT_SHARE
            place = Place(index, start, draw.randint(2, self.room) if short else self.room)
            one, start = self.pair_at(place, draw)
            yield place, one

    def pair_at(self, place: Place, draw: random.Random) -> tuple[Segments, int]:
        """The pair that begins at a place, and the sentence that the next one begins with."""
        document, start = self.documents[place.document], place.sentence
        end = _chunk_end(document, start, target=place.tokens)
        chunk = document[start:end]
        if len(chunk) == 1:
            return Segments(chunk[0]), end
        cut = draw.randint(1, len(chunk) - 1)
        first, rest = _joined(chunk[:cut]), _joined(chunk[cut:])
        if draw.random() < 0.5:
            follows = _fitted(first, rest, FOLLOWS, place.document, room=self.room, draw=draw)
            return follows, end
        source = _other(place.document, self.partners, draw)
        length = place.tokens - len(first)
        second = _random_text(self.documents[source], length=length, draw=draw)
        return _fitted(first, second, RANDOM, source, room=self.room, draw=draw), start + cut


def single_segments(document: Sentences, *, room: int) -> Iterator[Segments]:
    """Whole sentences, as many as fit into ``room`` tokens; longer sentences are cut into several.

    Never across documents (Liu et al. 2019, RoBERTa, section 4.2: DOC-SENTENCES).
    """
    held = array("i")
    for sentence in document:
        if held and len(held) + len(sentence) > room:
            yield Segments(held)
            held = array("i")
        held = held + sentence
        while len(held) > room:
            yield Segments(held[:room])
            held = held[room:]
    if held:
        yield Segments(held)


def cut_sentences(document: Sentences, *, longest: int) -> list[Tokens]:
    """The document in parts of ``longest`` tokens at most: sentences, or equal parts of one."""
    parts = []
    for sentence in document:
        count = -(-len(sentence) // longest)
        bounds = [len(sentence) * number // count for number in range(count + 1)]
        parts += [sentence[start:end] for start, end in pairwise(bounds)]
    return parts


def _chunk_end(document: Sentences, start: int, *, target: int) -> int:
    """Where a chunk of ``target`` tokens ends: behind two sentences at least, if there are two."""
    size, end = 0, start
    while end < len(document) and (size < target or end < start + 2):
        size += len(document[end])
        end += 1
    return end


def _other(index: int, partners: Sequence[int], draw: random.Random) -> int:
    while (other := draw.choice(partners)) == index:
        pass
    return other


def _random_text(document: Sentences, *, length: int, draw: random.Random) -> Tokens:
    """Sentences from a random one on, until they have ``length`` tokens, one at least.

    Never from the first on, for no text that follows opens a document.
    """
    found = array("i")
    for number in range(draw.randrange(1, len(document)), len(document)):
        found.extend(document[number])
        if len(found) >= length:
            break
    return found


def _joined(sentences: Iterable[Tokens]) -> Tokens:
    joined = array("i")
    for sentence in sentences:
        joined.extend(sentence)
    return joined


def _fitted(
    first: Tokens, second: Tokens, kind: int, source: int, *, room: int, draw: random.Random
) -> Segments:
    """Cut the longer text, at either end at random, until both fit (truncate_seq_pair)."""
    ends = [[0, len(first)], [0, len(second)]]
    for _ in range(len(first) + len(second) - room):
        longer = ends[0] if ends[0][1] - ends[0][0] > ends[1][1] - ends[1][0] else ends[1]
        if draw.random() < 0.5:
            longer[0] += 1
        else:
            longer[1] -= 1
    shown = first[slice(*ends[0])], second[slice(*ends[1])]
    dropped = len(first) - len(shown[0])
    if kind == FOLLOWS:
        dropped += len(second) - len(shown[1])
    return Segments(*shown, kind, source, dropped=dropped)
