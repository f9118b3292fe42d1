"""From tag logits to a tag sequence: windows merged by character, BIO kept valid.

A unit is what carries a tag: a word, or a piece. Shape legend: U units of a text, C tags, L tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from bertft.contracts import Encoded, FloatArray, OffsetArray, Pieces
from bertft.encoder.pieces import first_pieces
from bertft.spans import Span

NEVER = -1e9


def merge_windows(
    pieces: Sequence[tuple[Encoded, np.ndarray[Any, Any]]],
) -> tuple[OffsetArray, np.ndarray[Any, Any]]:
    """(units [U, 2], their rows [U, ...]) of one text from all its windows, in text order.

    Each window comes with one row per token (logits, or target tags). A unit that several windows
    hold is taken from the one where it has most context on its shorter side.
    """
    offsets = [one.offsets for one, _ in pieces if one.offsets is not None]
    kept = [np.flatnonzero(one[:, 1] > one[:, 0]) for one in offsets]
    units = np.concatenate([one[keep] for one, keep in zip(offsets, kept, strict=True)])
    found = np.concatenate([row[keep] for (_, row), keep in zip(pieces, kept, strict=True)])
    if len(pieces) == 1:
        return units, found
    context = np.concatenate(
        [np.minimum(keep, len(one) - 1 - keep) for one, keep in zip(offsets, kept, strict=True)]
    )
    order = np.lexsort((-context, units[:, 0]))
    _, first = np.unique(units[order, 0], return_index=True)
    chosen = order[first]
    return units[chosen], found[chosen]


def word_units(words: Sequence[Span], offsets: OffsetArray) -> OffsetArray:
    """[P, 2] each word at its first piece; (0, 0) at all others. ``offsets`` [P, 2] are the pieces.

    A word without a piece (control characters) carries no tag and shifts no other. Words that begin
    in one piece (SentencePiece keeps "U.S." whole) are one unit.
    """
    spans = np.array(words, dtype=np.int32).reshape(-1, 2)
    first, there = first_pieces(spans, offsets)
    first, spans = first[there], spans[there]
    units = np.zeros_like(offsets)
    if not len(first):  # no word has a piece of its own
        return units
    places, opens = np.unique(first, return_index=True)
    closes = np.append(opens[1:], len(first)) - 1
    units[places, 0] = spans[opens, 0]
    units[places, 1] = spans[closes, 1]
    return units


@lru_cache(maxsize=8)
def allowed_transitions(labels: tuple[str, ...]) -> FloatArray:
    """[C + 1, C] 0 where tag j may follow tag i, else NEVER; the last row is the start of a text.

    I-X may follow B-X and I-X only.
    """
    allowed = np.zeros((len(labels) + 1, len(labels)))
    for j, label in enumerate(labels):
        if label.startswith("I-"):
            before = {f"B-{label[2:]}", label}
            allowed[:, j] = [0.0 if one in before else NEVER for one in labels] + [NEVER]
    return allowed


def learned_transitions(tags: Sequence[Sequence[int]], labels: Sequence[str]) -> FloatArray:
    """[C + 1, C] log P(tag | tag before) - log P(tag), with 1 added to each count.

    Added to the log probabilities of the pieces, it turns each P(tag | text) into a likelihood and
    weighs it by the tag before, as in a hidden Markov model whose emissions come from a network
    (Bourlard and Morgan 1994).
    """
    size = len(labels)
    counts = np.ones((size + 1, size))  # [C + 1, C]
    for sequence in tags:
        for before, tag in zip([size, *sequence], sequence, strict=False):
            counts[before, tag] += 1
    conditional = np.log(counts / counts.sum(axis=1, keepdims=True))
    return np.asarray(conditional - np.log(counts.sum(axis=0) / counts.sum()))


def is_valid(tags: FloatArray | Sequence[int], transitions: FloatArray) -> bool:
    """Whether no step of a tag sequence is forbidden."""
    sequence = np.asarray(tags, dtype=np.int64)
    before = np.concatenate([[len(transitions) - 1], sequence[:-1]])
    return bool((transitions[before, sequence] > NEVER / 2).all())


def best_path(scores: FloatArray, transitions: FloatArray) -> list[int]:
    """The tags [U] of the best total of scores [U, C] and transitions (Viterbi 1967)."""
    size = scores.shape[1]
    total = scores[0] + transitions[size]  # [C]
    back = np.zeros(scores.shape, dtype=np.int64)  # [U, C]
    for position in range(1, len(scores)):
        ways = total[:, None] + transitions[:size]  # [C, C]
        back[position] = ways.argmax(axis=0)
        total = ways.max(axis=0) + scores[position]
    path = [int(total.argmax())]
    for position in range(len(scores) - 1, 0, -1):
        path.append(int(back[position, path[-1]]))
    return path[::-1]


def gold_tags(pieces: Pieces) -> list[int]:
    """Target tags of a text's units."""
    _, tags = merge_windows([(one, np.asarray(one.target)) for one, _ in pieces])
    return [int(tag) for tag in tags]
