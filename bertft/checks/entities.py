"""What can be amiss with tagged texts: tags that break their scheme, spans that tokens lose.

In: texts with gold, and what the task that would learn them loses. Out: Findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bertft.checks.finding import Finding, Hits, Split, short
from bertft.encoder.pieces import cut_into_pieces, words_without_pieces
from bertft.loaders.conll import TaggedText
from bertft.spans import Entity, compose, words_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 1024

Lost = Callable[[Sequence[TaggedText]], list[tuple[int, Entity]]]
"""Texts -> (number of the text, entity) of each entity that its own tags do not give back."""


def broken_tags(split: Split) -> Iterator[Finding]:
    """Tags that break the rules of their scheme."""
    hits = Hits()
    for index, example in enumerate(split.examples):
        for told in example.broken:
            hits.add(split.place(index, told))
    yield from hits.finding(
        "warning",
        "broken-scheme",
        split=split.name,
        what="tags that break the rules of their scheme, such as I- after O",
        mend="write B- where an entity begins (that is how they are read); task.scheme names the "
        "scheme",
    )


def lost_entities(split: Split, lost: Lost, *, by_piece: bool) -> Iterator[Finding]:
    """Entities that begin or end inside what carries a tag: a piece, or a word."""
    hits = Hits()
    total = 0
    for start in range(0, len(split.examples), CHUNK):
        part = split.examples[start : start + CHUNK]
        total += sum(len(example.entities or ()) for example in part)
        for number, entity in lost(part):
            text = part[number].text
            around = text[max(0, entity.start - 8) : entity.end + 8]
            shown = (
                f"{entity.label} {short(text[entity.start : entity.end])!r} in {short(around)!r}"
            )
            hits.add(split.place(start + number, shown))
    yield from hits.finding(
        "note",
        "entity-inside-token",
        split=split.name,
        what=f"entities that begin or end inside a {'token' if by_piece else 'word'}",
        of=total,
        mend="what sticks to them is learned from dev"
        + ("" if by_piece else '; task.label_pieces = "all" is finer'),
    )


def lost_words(split: Split, tokenizer: PreTrainedTokenizerBase) -> Iterator[Finding]:
    """Words that no token stands for."""
    hits = Hits()
    total = 0
    for start in range(0, len(split.examples), CHUNK):
        part = split.examples[start : start + CHUNK]
        composed = [compose(example.text) for example in part]
        pieces = cut_into_pieces([one.text for one in composed], tokenizer)
        for number, (example, text, cut) in enumerate(zip(part, composed, pieces, strict=True)):
            if example.words is None:
                words = words_of(text.text)
            else:
                words = [text.composed(*word) for word in example.words]
            total += len(words)
            for index in words_without_pieces(words, cut.offsets):
                first, last = words[index]
                hits.add(
                    split.place(start + number, f"word {index + 1}: {text.text[first:last]!a}")
                )
    yield from hits.finding(
        "note",
        "word-without-token",
        split=split.name,
        what="words that no token stands for",
        of=total,
        mend="they get the tag O; remove them unless they matter",
    )
