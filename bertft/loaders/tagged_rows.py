"""Tagged text out of tables (JSON, CSV, Parquet, the Hub, a folder of brat).

In: a Source whose rows hold ``text`` and ``entities``, or ``tokens`` and ``ner_tags``, or one word
each, or what an annotation tool exports. Out: TaggedText.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeVar

from bertft.errors import DataError, did_you_mean
from bertft.loaders import Row, Table, length_fault
from bertft.loaders.annotations import recognised
from bertft.loaders.entities import EntityReader, read_list
from bertft.loaders.ids import RowIds
from bertft.loaders.soft_tags import COLUMN as SOFT_COLUMN
from bertft.loaders.soft_tags import TOLD, read_soft_tags
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.loaders.tag_spelling import STANDARD, Spelling, find_spelling
from bertft.loaders.tagged import (
    PEEK_SENTENCES,
    TaggedText,
    TaggedWords,
    join_words,
    short,
    with_entities,
)
from bertft.loaders.word_rows import SENTENCE_COLUMNS, WordColumns, sentences

TEXT_COLUMNS = ("text", "sentence", "문장", "본문", "텍스트", "내용")
ENTITY_COLUMNS = ("entities",)
WORD_COLUMNS = ("tokens", "words", "word", "token")
TAG_COLUMNS = ("ner_tags", "tags", "labels", "tag", "ner", "ner_tag", "label")
EMPTY = "empty-text"

Given = TypeVar("Given", TaggedText, TaggedWords)


@dataclass(frozen=True, slots=True)
class TagColumns:
    """Which columns hold words and tags, by name or by number from 1 ("" looks for them), and what
    ``offsets`` of spans count (offsets.UNITS)."""

    word: str = ""
    tag: str = ""
    offsets: str = "characters"


@dataclass(frozen=True, slots=True)
class Found:
    """The columns of a table that there are, "" for each that is not."""

    text: str = ""
    entities: str = ""
    soft: str = ""
    words: str = ""
    tags: str = ""
    sentence: str = ""


def read_tagged_rows(
    source: Source,
    *,
    scheme: str,
    columns: TagColumns,
    by_character: bool = False,
    table: Table | None = None,
) -> Iterator[TaggedText]:
    """The rows of a table, streamed. Raises DataError with file and line.

    Lists may be text in a cell, as in CSV. ``scheme`` is that of the tags; the tokens are single
    characters, spaces among them, where ``by_character`` says so (KLUE-NER on the Hub).
    """
    table = table or open_table(source, format=source.format or None)
    source.meter.fraction = table.fraction
    table, tool = recognised(table, source, gold="entities")
    source.meter.columns = () if tool else table.columns
    found = _columns(table, columns)
    spans = found.entities or found.soft or not source.gold
    if found.text and spans and not (by_character and found.words):
        yield from _texts(table, source, found, unit=columns.offsets)
    elif found.words and (found.tags or not source.gold):
        rows = _words(table, source, found, by_character=by_character)
        yield from with_entities(rows, scheme=scheme)
    else:
        needed = "'text' and 'entities', or 'tokens' and 'ner_tags'"
        needed = needed if source.gold else "'text' or 'tokens'"
        hint = f"columns here: {', '.join(table.columns[:12]) or 'none'}"
        raise DataError(f"no columns {needed}", path=table.path, line=1, hint=hint)


def _columns(table: Table, given: TagColumns) -> Found:
    there = {name.casefold(): name for name in reversed(table.columns)}
    for name in (given.word, given.tag):
        if name and not name.lstrip("-").isdecimal() and name.casefold() not in there:
            hint = did_you_mean(name, table.columns)
            raise DataError(f"no column '{name}'", path=table.path, line=1, hint=hint)

    def first(names: Sequence[str], wanted: str = "") -> str:
        chosen = (wanted.casefold(),) if wanted.casefold() in there else names
        return next((there[name] for name in chosen if name in there), "")

    return Found(
        text=first(TEXT_COLUMNS),
        entities=first(ENTITY_COLUMNS),
        soft=first((SOFT_COLUMN,)),
        words=first(WORD_COLUMNS, given.word),
        tags=first(TAG_COLUMNS, given.tag),
        sentence=first(SENTENCE_COLUMNS),
    )


# --- texts with spans ---------------------------------------------------------------------------


def _texts(table: Table, source: Source, found: Found, *, unit: str) -> Iterator[TaggedText]:
    # Units of soft tags are characters, and so are the entities beside them.
    reader = EntityReader("characters" if found.soft else unit, repaired=source.meter.repaired)

    def read(row: Row, name: str) -> TaggedText:
        value = _text(row, found.text)
        if not source.gold:
            return TaggedText(name, row.line, value, None, None)
        soft = read_soft_tags(row.fields.get(found.soft), text=value)
        if soft is not None:
            source.meter.repaired[TOLD] += 1
        if soft is not None and not found.entities:
            gold = soft.entities()
        else:
            gold = reader.read(row.fields.get(found.entities), text=value)
        words = None if soft is None else soft.spans
        return TaggedText(name, row.line, value, words, gold, soft=soft)

    yield from _each(table, source=source, read=read)
    source.meter.doubts += reader.evidence.doubts()


# --- words with tags ----------------------------------------------------------------------------


def _words(
    table: Table, source: Source, found: Found, *, by_character: bool
) -> Iterator[TaggedWords]:
    table, first = _ahead(table, source)
    tags = found.tags if source.gold else ""
    if any(_is_word(row.fields.get(found.words)) for row in first):
        table = _one_word_each(table, source, found, tags)
        source.meter.columns = ()
        table, first = _ahead(table, source)
    elif source.gold and (found.words, found.tags) not in _PLAIN:
        source.meter.notes.append(_said(found.words, found.tags))
    spelling = _spelling(first, source, tags)

    def read(row: Row, name: str) -> TaggedWords:
        return _word_row(
            row, name, words=found.words, tags=tags, spelling=spelling, by_character=by_character
        )

    yield from _each(table, source=source, read=read)


_PLAIN = {(word, tag) for word in ("tokens", "words") for tag in ("ner_tags", "tags", "labels")}


def _said(words: str, tags: str) -> str:
    tagged = f", '{tags}' the tags" if tags else ""
    return f"column '{words}' holds the words{tagged} (task.word_column, task.tag_column)"


def _ahead(table: Table, source: Source) -> tuple[Table, Sequence[Row]]:
    """The table and its first rows: many where there are tags to be understood."""
    if not source.gold:
        return table, table.first
    rows = iter(table)
    first = list(islice(rows, PEEK_SENTENCES))
    again = Table(
        path=table.path,
        columns=table.columns,
        rows=chain(first, rows),
        fraction=table.fraction,
        first=first,
    )
    return again, first


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and not value.lstrip().startswith(("[", "(")) and value != ""


def _one_word_each(table: Table, source: Source, found: Found, tags: str) -> Table:
    """The sentences of a table that has a row for each word."""
    if not found.sentence:
        what = f"each row has one word ('{found.words}'), and no column tells the sentence"
        hint = f"add one, named {SENTENCE_COLUMNS[0]}"
        raise DataError(what, path=table.path, line=1, hint=hint)
    note = f"a row is a word of the sentence in '{found.sentence}': "
    source.meter.notes.append(note + _said(found.words, tags))
    return sentences(table, WordColumns(found.sentence, found.words, tags))


def _spelling(first: Sequence[Row], source: Source, tags: str) -> Spelling:
    """How the tags of the first rows are spelled; it is said where they are not B-TYPE."""
    given: set[str] = set()
    for row in first if tags else ():
        try:
            cells = read_list(row.fields.get(tags), what=tags, like="[]")
        except DataError:
            continue
        given.update(cell for cell in cells if isinstance(cell, str))
    spelling = find_spelling(given) or STANDARD
    if note := spelling.note(given):
        source.meter.notes.append(note)
    return spelling


def _word_row(
    row: Row, name: str, *, words: str, tags: str, spelling: Spelling, by_character: bool
) -> TaggedWords:
    if not tags and row.fields.get(words) in (None, "", []):
        raise DataError(f"no words in column '{words}'", hint="each row holds words", code=EMPTY)
    given = read_list(row.fields.get(words), what=words, like='["a", "word"]')
    for word in given:
        if not isinstance(word, str) or not word or (word.isspace() and not by_character):
            raise DataError(f"{short(word)!r} in column '{words}' is not a word")
    text, spans = join_words(given, space="" if by_character else " ")
    if not tags:
        return TaggedWords(name, row.line, text, spans, None, by_character)
    gold = read_list(row.fields.get(tags), what=tags, like='["O", "B-PER"]')
    if len(gold) != len(given):
        hint = "each word has one tag"
        raise DataError(f"{len(given)} {words}, but {len(gold)} {tags}", hint=hint)
    read = tuple(map(spelling.tag, gold))
    return TaggedWords(name, row.line, text, spans, read, by_character)


# --- rows ---------------------------------------------------------------------------------------


def _each(table: Table, *, source: Source, read: Callable[[Row, str], Given]) -> Iterator[Given]:
    """What ``read`` makes of each row and its id; rows it refuses go to ``source.bad_row``."""
    ids = RowIds(table, source.meter)
    for row in table:
        name = ids.of(row)
        source.meter.row = row if source.meter.columns else None
        try:
            given = read(row, name)
            if fault := length_fault(given.text):
                raise DataError(fault, code="long-text")
            yield given
        except DataError as error:
            source.bad_row(
                DataError(
                    f"{row.where}: {error.message}" if row.where else error.message,
                    path=row.path or table.path,
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
        text = _text(Row(dict(record), 0), column)
        if fault := length_fault(text):
            raise DataError(fault, code="long-text")
    except DataError as error:
        raise DataError(error.message, hint=error.hint, code=error.code, row=id) from None
    return TaggedText(id, 0, text, None, None)


def _text(row: Row, column: str) -> str:
    value = row.fields.get(column)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return str(value)  # as classification reads it
    if not isinstance(value, str | None | float):
        what = f"the text (column '{column}') is {type(value).__name__}, not text"
        raise DataError(what, hint="each row holds a text", code="unusable-text")
    if not isinstance(value, str) or not value or value.isspace():
        raise DataError(f"no text in column '{column}'", hint="each row holds a text", code=EMPTY)
    return value
