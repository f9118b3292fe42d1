"""Tagged text, and how it comes out of tables (JSON, CSV, Parquet, the Hub).

In: a Source whose rows hold ``text`` and ``entities``, or ``tokens`` and ``ner_tags``. Out:
TaggedText. Files of one word per line (conll.py) become the same: TaggedWords with the tags as
the file writes them, and those TaggedText with entities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, pairwise
from typing import Any, TypeVar

from bertft.errors import DataError
from bertft.loaders import Row, Table, length_fault, whole_number
from bertft.loaders.ids import RowIds
from bertft.loaders.json_text import JsonError, read_json_text
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.spans import (
    Entity,
    Span,
    broken_tags,
    detect_scheme,
    split_tag,
    tags_to_entities,
    to_bio,
)

TEXT_COLUMNS = ("text", "sentence")
ENTITY_COLUMNS = ("entities",)
WORD_COLUMNS = ("tokens", "words")
TAG_COLUMNS = ("ner_tags", "tags", "labels")
EMPTY = "empty-text"
PEEK_SENTENCES = 2_000
PEEK_WORDS = 200_000
"""What is read ahead at most to find out the scheme of a file's tags."""

_ENTITY = '{"start": 0, "end": 5, "label": "PER"}'
_TAG_HINT = "tags are O, B-TYPE and I-TYPE (also BIOES or BILOU), by name"
_COUNT_HINT = "offsets count characters from 0, and the end is the first one behind it"


Given = TypeVar("Given", "TaggedText", "TaggedWords")


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

    @property
    def repaired(self) -> int:
        """Tags that broke the rules, and were read as if they had not."""
        return len(self.broken)

    @property
    def group(self) -> str:
        return ""


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


def check_tag(tag: Any) -> str:
    """The tag, when it is one. Raises DataError (without a place)."""
    if not isinstance(tag, str) or not is_tag(tag):
        raise DataError(f"'{_short(tag)}' is not a tag", hint=_TAG_HINT, code="broken-tag")
    return tag


@lru_cache(maxsize=4096)
def is_tag(text: str) -> bool:
    """True for O, and for a prefix of any scheme with a type behind it: B-PER, E-LOC."""
    try:
        return not any(map(str.isspace, split_tag(text)[1]))
    except ValueError:
        return False


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
        told.append(f"{tags[index]} {before}, {_short(sentence.text[start:end])!r} ({index + 1})")
    return tuple(told)


# --- tables -----------------------------------------------------------------------------------


def read_tagged_rows(
    source: Source, *, scheme: str, by_character: bool = False
) -> Iterator[TaggedText]:
    """The rows of a table, streamed. Raises DataError with file and line.

    Lists may be JSON in a cell of text, as in CSV. ``scheme`` is that of the tags; the tokens are
    single characters, spaces among them, where ``by_character`` says so (KLUE-NER on the Hub).
    """
    table = open_table(source, format=source.format or None)
    source.meter.fraction = table.fraction
    columns = {name.casefold(): name for name in reversed(table.columns)}
    text, entities, words, tags = (
        next((columns[name] for name in names if name in columns), None)
        for names in (TEXT_COLUMNS, ENTITY_COLUMNS, WORD_COLUMNS, TAG_COLUMNS)
    )
    if text and (entities or not source.gold) and not (by_character and words):
        gold = entities if source.gold else None
        yield from _each(table, source=source, read=partial(_text_row, text=text, entities=gold))
    elif words and (tags or not source.gold):
        gold = tags if source.gold else None
        read = partial(_word_row, words=words, tags=gold, by_character=by_character)
        rows = _each(table, source=source, read=read)
        yield from with_entities(rows, scheme=scheme)
    else:
        needed = "'text' and 'entities', or 'tokens' and 'ner_tags'"
        needed = needed if source.gold else "'text' or 'tokens'"
        hint = f"columns here: {', '.join(table.columns[:12]) or 'none'}"
        raise DataError(f"no columns {needed}", path=table.path, line=1, hint=hint)


def read_entities(value: Any, *, text: str) -> tuple[Entity, ...]:
    """The entities of ``text`` out of a list of objects with ``start``, ``end`` and ``label``.

    Raises:
        DataError: (without a place) one is no entity of the text, or two share a character.
    """
    value = _list(value, what="entities", like=f"[{_ENTITY}]")
    found = sorted(_entity(item, text=text) for item in value)
    for one, other in pairwise(found):
        if other.start < one.end:
            what = f"two entities overlap: {one.label} ({one.start}, {one.end})"
            what += f" and {other.label} ({other.start}, {other.end})"
            raise DataError(what, hint="keep one of them")
    return tuple(found)


def _each(table: Table, *, source: Source, read: Callable[[Row, str], Given]) -> Iterator[Given]:
    """What ``read`` makes of each row and its id; rows it refuses go to ``source.bad_row``."""
    ids = RowIds(table, source.meter)
    for row in table:
        name = ids.of(row)
        try:
            given = read(row, name)
            if fault := length_fault(given.text):
                raise DataError(fault, code="long-text")
            yield given
        except DataError as error:
            source.bad_row(
                DataError(
                    f"{row.where}: {error.message}" if row.where else error.message,
                    path=table.path,
                    line=row.line,
                    hint=error.hint,
                    code=error.code,
                    row=name,
                )
            )


def text_of(record: Mapping[str, Any], *, id: str) -> TaggedText:
    """The text of a single record, without gold. Raises DataError (without a place)."""
    column = next(name for name in TEXT_COLUMNS if name in record)
    try:
        found = _text_row(Row(dict(record), 0), id, text=column, entities=None)
        if fault := length_fault(found.text):
            raise DataError(fault, code="long-text")
    except DataError as error:
        raise DataError(error.message, hint=error.hint, code=error.code, row=id) from None
    return found


def _text_row(row: Row, name: str, *, text: str, entities: str | None) -> TaggedText:
    value = row.fields.get(text)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        value = str(value)  # as classification reads it
    if not isinstance(value, str | None | float):
        what = f"the text (column '{text}') is {type(value).__name__}, not text"
        raise DataError(what, hint="each row holds a text", code="unusable-text")
    if not isinstance(value, str) or not value or value.isspace():
        hint = "each row holds a text"
        raise DataError(f"no text in column '{text}'", hint=hint, code=EMPTY)
    gold = None if entities is None else read_entities(row.fields.get(entities), text=value)
    return TaggedText(name, row.line, value, None, gold)


def _word_row(
    row: Row, name: str, *, words: str, tags: str | None, by_character: bool
) -> TaggedWords:
    if tags is None and row.fields.get(words) in (None, "", []):
        raise DataError(f"no words in column '{words}'", hint="each row holds words", code=EMPTY)
    given = _list(row.fields.get(words), what=words, like='["a", "word"]')
    for word in given:
        if not isinstance(word, str) or not word or (word.isspace() and not by_character):
            raise DataError(f"{_short(word)!r} in column '{words}' is not a word")
    text, spans = join_words(given, space="" if by_character else " ")
    if tags is None:
        return TaggedWords(name, row.line, text, spans, None, by_character)
    gold = _list(row.fields.get(tags), what=tags, like='["O", "B-PER"]')
    if len(gold) != len(given):
        hint = "each word has one tag"
        raise DataError(f"{len(given)} {words}, but {len(gold)} {tags}", hint=hint)
    return TaggedWords(name, row.line, text, spans, tuple(map(check_tag, gold)), by_character)


def _entity(item: Any, *, text: str) -> Entity:
    if not isinstance(item, Mapping) or not {"start", "end", "label"} <= set(item):
        raise DataError(f"{_short(item)} is not an entity", hint=f"write it as {_ENTITY}")
    start, end, label = whole_number(item["start"]), whole_number(item["end"]), item["label"]
    where = f"the entity ({_short(item['start'])}, {_short(item['end'])})"
    if start is None or end is None:
        raise DataError(f"{where} has offsets that are no whole numbers", hint=_COUNT_HINT)
    if not 0 <= start < end <= len(text):
        what = f"{where} does not lie in its text of {len(text)} characters"
        raise DataError(what, hint=_COUNT_HINT)
    if not isinstance(label, str) or not label or any(map(str.isspace, label)):
        hint = "a label is one word, such as PER"
        raise DataError(f"{where} has the label {_short(label)!r}", hint=hint)
    covered = text[start:end]
    if covered != covered.strip():
        what = f"{where} starts or ends with white space: {_short(covered)!r}"
        raise DataError(what, hint="move its offsets to the first and the last character")
    if isinstance(item.get("text"), str) and item["text"] != covered:
        what = f"{where} covers {_short(covered)!r}, but its text is {_short(item['text'])!r}"
        raise DataError(what, hint=_COUNT_HINT)
    return Entity(start, end, label)


def _list(value: Any, *, what: str, like: str) -> list[Any]:
    """A list, or the one in a cell of text, as JSON."""
    fault = ""
    if isinstance(value, str):
        try:
            value = read_json_text(value)
        except JsonError as error:
            fault = f": {error}"
    if not isinstance(value, list):
        hint = f"write it as {like}; [] for none"
        raise DataError(f"no list in column '{what}'{fault}", hint=hint)
    return value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
