"""Tagged text: what every reader of entities gives, and entities out of tags.

In: TaggedWords, words with the tags of a file. Out: TaggedText, whose entities are spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from bertft.loaders.soft_tags import SoftTags
from bertft.spans import Entity, Span, broken_tags, detect_scheme, tags_to_entities, to_bio

PEEK_SENTENCES = 2_000
PEEK_WORDS = 200_000
"""What is read ahead at most to find out how the tags of a file are meant."""


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A text with its entities, all offsets in characters of ``text``.

    ``words`` is None where the file does not give words, ``entities`` where there is no gold;
    ``broken`` says of each tag that broke the rules of the file's scheme what it was, and where.
    """

    id: str
    line: int
    text: str
    words: tuple[Span, ...] | None
    entities: tuple[Entity, ...] | None
    broken: tuple[str, ...] = ()
    given_group: str = field(default="", repr=False)
    """What ``data.group_column`` says."""
    soft: SoftTags | None = field(default=None, compare=False, repr=False)
    """The probabilities of tags, where these are learned; ``entities`` are then the likeliest."""

    @property
    def types(self) -> set[str]:
        """Entity types that gold speaks of, improbable ones too."""
        return {one.label for one in self.entities or ()} | (
            self.soft.types if self.soft else set()
        )

    @property
    def repaired(self) -> int:
        """Tags that broke the rules, and were read as if they had not."""
        return len(self.broken)

    @property
    def group(self) -> str:
        return self.given_group


@dataclass(frozen=True, slots=True)
class TaggedWords:
    """A text and its tagged units, words or (``by_character``) characters; no tags without gold."""

    id: str
    line: int
    text: str
    units: tuple[Span, ...]
    tags: tuple[str, ...] | None
    by_character: bool = False


def join_words(words: Sequence[str], *, space: str = " ") -> tuple[str, tuple[Span, ...]]:
    """The text of words with ``space`` between them, and the span of each."""
    spans = []
    start = 0
    for word in words:
        spans.append((start, start + len(word)))
        start += len(word) + len(space)
    return space.join(words), tuple(spans)


def with_entities(sentences: Iterator[TaggedWords], *, scheme: str) -> Iterator[TaggedText]:
    """Entities for tags. ``auto`` finds the scheme in the first sentences and keeps it."""
    if scheme == "auto":
        first: list[TaggedWords] = []
        words = 0
        for sentence in sentences:
            first.append(sentence)
            words += len(sentence.units)
            if sentence.tags is None or len(first) == PEEK_SENTENCES or words > PEEK_WORDS:
                break
        scheme = detect_scheme(sentence.tags or () for sentence in first)
        sentences = chain(first, sentences)
    for sentence in sentences:
        entities = None
        broken: tuple[str, ...] = ()
        if sentence.tags is not None:
            tags, repaired = to_bio(sentence.tags, scheme=scheme)
            entities = tuple(tags_to_entities(tags, sentence.units))
            broken = _broken(sentence, scheme=scheme) if repaired else ()
        words_given = None if sentence.by_character else sentence.units
        yield TaggedText(sentence.id, sentence.line, sentence.text, words_given, entities, broken)


def _broken(sentence: TaggedWords, *, scheme: str) -> tuple[str, ...]:
    """``I-PER after O at 'word' (3)`` for each tag that broke the rules."""
    tags = sentence.tags or ()
    told = []
    for index in broken_tags(tags, scheme=scheme):
        start, end = sentence.units[index]
        before = f"after {tags[index - 1]}" if index else "at the start"
        told.append(f"{tags[index]} {before}, {short(sentence.text[start:end])!r} ({index + 1})")
    return tuple(told)


def short(value: object) -> str:
    """A value as it is shown in a message."""
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
