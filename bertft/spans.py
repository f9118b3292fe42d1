"""Character spans: what entities and answers are made of, whatever the language or the tokenizer.

A Span is (start, end) in characters of the untouched input, end exclusive. In and out of this
module: texts and their words, entities, and the tags (B-PER, I-PER, O, ...) of words. All
functions are pure.
"""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import regex  # type: ignore[import-untyped, unused-ignore]

Span = tuple[int, int]

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]+(?:\p{Cf}+[\p{L}\p{M}\p{N}_]+)*|[^\s\p{C}]")
_BIOES = {"L": "E", "U": "S", "M": "I"}
_JAMO = ((0x1161, 0x1175), (0x11A8, 0x11C2))  # vowels, final consonants


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A span with its type (PER, LOC, ...).

    ``repaired`` marks an entity whose tags began with I- where B- was due (it counts in lenient
    scores only).
    """

    start: int
    end: int
    label: str
    repaired: bool = False


# --- composed texts ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Composed:
    """``text`` is the NFC form of an input; spans can be mapped from one to the other.

    Both map clusters (a letter with its accents, the jamo of a syllable) as a whole where
    composing changed them, so a mapped span may be wider than the span it was asked for. An empty
    span gives an empty one.
    """

    text: str
    _inputs: array[int] | None = field(default=None, repr=False)
    _outputs: array[int] | None = field(default=None, repr=False)

    def original(self, start: int, end: int) -> Span:
        """The smallest span of the input that gives ``text[start:end]``."""
        return _mapped(start, end, self._outputs, self._inputs)

    def composed(self, start: int, end: int) -> Span:
        """The smallest span of ``text`` that covers what the input's span gives."""
        return _mapped(start, end, self._inputs, self._outputs)


def compose(text: str) -> Composed:
    """The NFC form of a text (Unicode Standard Annex 15) with its offsets."""
    if unicodedata.is_normalized("NFC", text):
        return Composed(text)
    inputs, outputs = array("q", [0]), array("q", [0])
    pieces = []
    for cluster in _clusters(text):
        piece = unicodedata.normalize("NFC", cluster)
        pieces.append(piece)
        # What composing leaves alone keeps its single characters.
        steps = [(1, 1)] * len(cluster) if piece == cluster else [(len(cluster), len(piece))]
        for taken, given in steps:
            inputs.append(inputs[-1] + taken)
            outputs.append(outputs[-1] + given)
    return Composed("".join(pieces), inputs, outputs)


def _mapped(start: int, end: int, here: array[int] | None, there: array[int] | None) -> Span:
    """A span between the cluster starts ``here`` as a span of those ``there``."""
    if here is None or there is None:
        return start, end
    first = bisect_right(here, start) - 1
    last = first if start == end else bisect_left(here, end)
    return there[first], there[last]


def _clusters(text: str) -> Iterator[str]:
    start = 0
    for index in range(1, len(text)):
        if _starts_cluster(text[index]):
            yield text[start:index]
            start = index
    yield text[start:]


@lru_cache(maxsize=2**16)
def _starts_cluster(character: str) -> bool:
    """True when nothing before this character can change it, nor be changed by it."""
    if character.isascii():
        return True
    first = unicodedata.normalize("NFD", character)[0]  # U+0F73 has class 0, its parts have not
    return unicodedata.combining(first) == 0 and first not in _seconds()


@cache
def _seconds() -> frozenset[str]:
    """All characters that can compose with one before them (Annex 15, NFC_Quick_Check=Maybe)."""
    found = {chr(code) for low, high in _JAMO for code in range(low, high + 1)}
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(chr(int(parts[1], 16)))
    return frozenset(found)


# --- words and tags ---------------------------------------------------------------------------


def words_of(text: str) -> list[Span]:
    """The words of a text, in order: what gets a tag where the data give no words of their own.

    A run of letters, marks, digits and underscores is a word; format characters (soft hyphen,
    zero-width joiner) inside it do not end it. Every other character is a word of its own, save
    white space and what is no text (control, format, private and unassigned characters).
    """
    return [match.span() for match in _WORD.finditer(text)]


def entities_to_tags(entities: Iterable[Entity], units: Sequence[Span]) -> list[str]:
    """The BIO tag of each unit (word, character, token); ``units`` are in order, apart.

    A unit belongs to an entity when they share a character. Of two entities that claim a unit, the
    one that starts first gets it; of those that start together, the longest.
    """
    tags = ["O"] * len(units)
    ends = [end for _, end in units]
    for entity in sorted(entities, key=lambda entity: (entity.start, -entity.end)):
        prefix = "B-"
        for index in range(bisect_right(ends, entity.start), len(units)):
            start, end = units[index]
            if start >= entity.end:
                break
            if tags[index] == "O" and start < end:
                tags[index] = prefix + entity.label
                prefix = "I-"
    return tags


def tags_to_entities(tags: Sequence[str], units: Sequence[Span]) -> list[Entity]:
    """Entities out of BIO tags, from the start of their first unit to the end of their last.

    Read leniently, as the CoNLL-2000 script conlleval does: I-X after O, or after another type,
    begins an entity too; it is marked as repaired.

    Raises:
        ValueError: a tag is not O, B-X or I-X, or there are not as many tags as units.
    """
    found: list[Entity] = []
    label = ""
    for tag, (start, end) in zip(tags, units, strict=True):
        prefix, name = split_tag(tag)
        if prefix not in ("B", "I", "O"):
            raise ValueError(f"'{tag}' is not a BIO tag")
        if prefix == "I" and name == label:
            last = found[-1]
            found[-1] = Entity(last.start, end, name, last.repaired)
        elif name:
            found.append(Entity(start, end, name, repaired=prefix == "I"))
        label = name
    return found


def split_tag(tag: str) -> tuple[str, str]:
    """Prefix and type: ("B", "PER") of B-PER, ("O", "") of O.

    Raises:
        ValueError: it is neither O nor one of B, I, E, L, M, S, U with a type behind a hyphen.
    """
    if tag == "O":
        return "O", ""
    prefix, hyphen, label = tag[:1], tag[1:2], tag[2:]
    if prefix not in tuple("BIELMSU") or hyphen != "-" or not label:
        raise ValueError(f"'{tag}' is not a tag")
    return prefix, label


# --- schemes ----------------------------------------------------------------------------------


def to_bio(tags: Sequence[str], *, scheme: str) -> tuple[list[str], int]:
    """Valid BIO tags for those of another scheme, and how many tags broke the rules of theirs.

    ``scheme`` is ``bio`` (IOB2), ``iob1`` (B- only between neighbours of one type) or ``bioes``
    (also BILOU, and M- for I-). Entities are found as conlleval finds them. A tag broke the rules
    when the scheme writes the entities with another one there: I- after O in ``bio``, an entity
    of ``bioes`` that nothing ends.

    Raises:
        ValueError: the scheme is unknown, or a tag has none of its shapes.
    """
    if scheme not in ("bio", "iob1", "bioes"):
        raise ValueError(f"unknown scheme '{scheme}'")
    bio, broken = _read_tags(tags, scheme=scheme)
    return [f"{prefix}-{label}" if label else "O" for prefix, label in bio], len(broken)


def broken_tags(tags: Sequence[str], *, scheme: str) -> list[int]:
    """Positions of the tags that broke the rules of their scheme, as ``to_bio`` counts them."""
    return _read_tags(tags, scheme=scheme)[1]


def _read_tags(tags: Sequence[str], *, scheme: str) -> tuple[list[tuple[str, str]], list[int]]:
    """Valid BIO tags (prefix, type), and the positions of those that broke the rules."""
    given = [split_tag(tag) for tag in tags]
    given = [(_BIOES.get(prefix, prefix), label) for prefix, label in given]
    bio: list[tuple[str, str]] = []
    before = ("O", "")
    for prefix, label in given:
        inside = prefix in ("I", "E") and before[0] in ("B", "I") and before[1] == label
        bio.append(("O" if not label else "I" if inside else "B", label))
        before = (prefix, label)
    due = _written(bio, scheme=scheme)
    pairs = enumerate(zip(given, due, strict=True))
    return bio, [index for index, (tag, right) in pairs if tag != right]


def _written(bio: Sequence[tuple[str, str]], *, scheme: str) -> list[tuple[str, str]]:
    """Valid BIO tags (prefix, type) as another scheme writes them."""
    if scheme == "bio":
        return list(bio)
    written = []
    for index, (prefix, label) in enumerate(bio):
        if scheme == "iob1":
            beside = index > 0 and bio[index - 1][1] == label
            new = "I" if prefix == "B" and not beside else prefix
        else:
            ends = bio[index + 1 : index + 2] != [("I", label)]
            new = {"B": "S", "I": "E"}.get(prefix, prefix) if ends else prefix
        written.append((new, label))
    return written


def detect_scheme(tag_sequences: Iterable[Sequence[str]]) -> str:
    """``bioes``, ``iob1`` or ``bio``, whichever these tags of sentences are written in.

    ``bioes`` when there is any S-, E-, U-, L- or M-; ``iob1`` when entities begin with I-, and B-
    only stands where an entity follows one of its type; else ``bio``.
    """
    begun, elsewhere = False, False
    for tags in tag_sequences:
        last = ""
        for prefix, label in map(split_tag, tags):
            if prefix in tuple("SEULM"):
                return "bioes"
            begun = begun or (prefix == "I" and label != last)
            elsewhere = elsewhere or (prefix == "B" and label != last)
            last = label
    return "iob1" if begun and not elsewhere else "bio"
