"""Tagged text for entity recognition, from every form in which it is handed around.

In: a Source. Out: TaggedText, streamed. The forms:

conll        a word and its tag on each line (the first and the last column, apart by tabs or
             spaces), a blank line behind each sentence; the text is the words with spaces between
characters   a character (perhaps a space) and its tag on each line, as in KLUE-NER
table        rows with a text and its entities, or words and their tags (tagged_rows.py)
text         plain text, for predictions only (rows.py)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Protocol

import regex  # type: ignore[import-untyped, unused-ignore]

from bertft.errors import DataError
from bertft.loaders import length_fault
from bertft.loaders.ahead import Ahead
from bertft.loaders.files import STDIN, TextFile, resolve
from bertft.loaders.ids import WATCHED
from bertft.loaders.rows import read_rows
from bertft.loaders.source import Source
from bertft.loaders.tables import FORMATS
from bertft.loaders.tagged_rows import (
    TAG_COLUMNS,
    TEXT_COLUMNS,
    WORD_COLUMNS,
    TaggedText,
    TaggedWords,
    check_tag,
    is_tag,
    join_words,
    read_tagged_rows,
    with_entities,
)
from bertft.recipe import HUB

__all__ = ["TaggedText", "read_tagged"]

SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".bioes", ".annotated", ".tagged", ".tsv")
PLAIN = ("", ".txt", ".md", ".text")
PEEK = 20
"""Sentences that are read ahead to tell words from characters."""
MAX_LINES = 100_000
"""Lines of one sentence."""

Block = list[tuple[int, str]]
"""The lines of one sentence, comments among them, with their numbers."""

_DOCUMENT = "-DOCSTART-"
_ID = re.compile(r"#+\s*(?:sent_)?id\s*[=:]\s*(\S.*)")
_NAME = re.compile(r"##\s+(\S+)\t")
_NUMBERED = re.compile(r"(.*_\d+)-\w+")  # KLUE: klue-ner-v1_dev_00000-wikitree
_HASHES = re.compile(r"#+\s")
_COLUMN_HINT = "a line holds a word and its tag, a blank line ends a sentence"


def read_tagged(
    source: Source, *, scheme: str = "auto", form: str = "auto"
) -> Iterator[TaggedText]:
    """The texts of a source with their entities, in file order and in bounded memory.

    ``scheme`` is ``bio``, ``iob1``, ``bioes``, or ``auto``: what the first 2,000 sentences are in.
    ``form`` is ``conll``, ``characters``, ``table``, or ``auto``: what the suffix says, and the
    first sentences. Without ``source.gold`` there need be no tags, and none are read.

    Raises:
        DataError: the source cannot be read, or a sentence of it (unless ``bad_row`` skips it).
        ValueError: there is no such scheme or form.
    """
    if scheme not in ("auto", "bio", "iob1", "bioes"):
        raise ValueError(f"unknown scheme '{scheme}'")
    if form not in ("auto", "conll", "characters", "table"):
        raise ValueError(f"unknown form '{form}'")
    kind = _form(source) if form == "auto" else form
    if kind == "table" or (kind == "characters" and _form(source) == "table"):
        return read_tagged_rows(source, scheme=scheme, by_character=kind == "characters")
    if kind == "text":
        return _texts(source)
    return with_entities(_sentences(source, form=kind), scheme=scheme)


def _form(source: Source) -> str:
    """table, text, conll, characters, or ``lines`` for either of the last two."""
    if source.format in ("conll", "characters"):
        return source.format
    if source.path.startswith(HUB):
        return "table"
    name = source.path.lower().removesuffix(".gz")
    suffix = ".txt" if source.path == STDIN else PurePath(name).suffix
    if source.format == "txt" or (not source.format and suffix in PLAIN):
        return "lines" if source.gold else "text"
    if source.format:
        return "table"
    if suffix in SUFFIXES:
        return "table" if suffix == ".tsv" and _has_header(source) else "lines"
    if suffix in FORMATS:
        return "table"
    resolve(source.path)
    shown = ", ".join(dict.fromkeys((*SUFFIXES, *FORMATS, ".txt")))
    raise DataError(
        "not a known form of tagged text",
        path=source.path,
        hint=f"supported: {shown}; or name the form: --set task.form=conll",
    )


def _has_header(source: Source) -> bool:
    """True when a TSV file starts with the column names of a table."""
    if not resolve(source.path).is_file():
        return False  # a pipe is read once
    with TextFile(source.path, encoding=source.data.encoding, bad_row=lambda _: None) as file:
        line = next((line for _, line in file if line and not line.isspace()), "")
    cells = [cell.strip() for cell in line.split("\t")]
    names = {cell.casefold() for cell in cells}
    tagged = bool(names & set(TAG_COLUMNS) and names & set(WORD_COLUMNS))
    named = tagged or bool(names & set(TEXT_COLUMNS))
    return named and len(cells) > 1 and not is_tag(cells[-1])


def _texts(source: Source) -> Iterator[TaggedText]:
    for row in read_rows(source):
        yield TaggedText(str(row.line), row.line, row.fields["text"], None, None)


def _sentences(source: Source, *, form: str) -> Iterator[TaggedWords]:
    ahead = Ahead[Block](source.bad_row)
    blocks = _blocks(replace(source, bad_row=ahead.bad_row), form=form)
    if form == "lines":
        first = ahead.look(blocks, most=PEEK)
        form = "characters" if _are_characters(first) else "conll"
        blocks = iter(ahead)
    by_character = form == "characters"
    names = _Names(source)
    lines: Lines = _Characters(gold=source.gold) if by_character else _Words(gold=source.gold)
    for block in blocks:
        try:
            sentence = _sentence(block, lines=lines, source=source)
        except DataError as error:
            source.bad_row(error)
            continue
        if sentence:
            yield names.own(sentence)


class _Names:
    """Sentence ids begin anew in each document of some files: those that repeat get their line."""

    def __init__(self, source: Source) -> None:
        self._meter = source.meter
        self._seen: set[str] = set()

    def own(self, sentence: TaggedWords) -> TaggedWords:
        """The sentence under an id that no other one has."""
        if sentence.id in self._seen:
            self._meter.mended["sentences have the id of an earlier one: their line is added"] += 1
            sentence = replace(sentence, id=f"{sentence.id}:{sentence.line}")
        if sentence.id != str(sentence.line) and len(self._seen) < WATCHED:
            self._seen.add(sentence.id)
        return sentence


def _blocks(source: Source, *, form: str) -> Iterator[Block]:
    """Lines between blank lines. A sentence with a line that is no text is left out as a whole."""
    broken = False

    def lose(error: DataError) -> None:
        nonlocal broken
        if not broken:
            source.bad_row(error)
        broken = True

    file = TextFile(source.path, encoding=source.data.encoding, bad_row=lose)
    source.meter.fraction = file.fraction
    block: Block = []
    with file:
        for number, line in file:
            blank = not line.strip("\t" if form == "characters" else None)
            if not blank and not line.startswith(_DOCUMENT):
                block.append((number, line))
                if len(block) > MAX_LINES:
                    what = f"a sentence of more than {MAX_LINES:,} lines"
                    raise DataError(what, path=file.name, line=block[0][0], hint=_COLUMN_HINT)
                continue
            if block and not broken:
                yield block
            block, broken = [], False
        if block and not broken:
            yield block


def _are_characters(blocks: list[Block]) -> bool:
    """True when every token is a single character, and one of them a space."""
    lines = _Characters(gold=False)
    parsed = (lines.read(line) for block in blocks for _, line in block if "\t" in line)
    try:
        tokens = {token[0] for token in parsed if token}
    except DataError:
        return False
    return " " in tokens


def _sentence(block: Block, *, lines: Lines, source: Source) -> TaggedWords | None:
    """The words and tags of a block; None when it holds comments only."""
    first, name = 0, ""
    words: list[str] = []
    tags: list[str] = []
    for number, line in block:
        try:
            parsed = lines.read(line)
        except DataError as error:
            place = "stdin" if source.path == STDIN else source.path
            raise DataError(
                error.message,
                path=place,
                line=number,
                hint=error.hint,
                code=error.code,
                row=name or str(first or block[0][0]),
            ) from None
        if parsed is None:
            name = _identity(line) or name
            continue
        first = first or number
        words.append(parsed[0])
        tags.append(parsed[1])
    if not words:
        return None
    text, spans = join_words(words, space=lines.space)
    if fault := length_fault(text):
        raise DataError(fault, path=source.path, line=first)
    gold = tuple(tags) if source.gold else None
    return TaggedWords(name or str(first), first, text, spans, gold, by_character=not lines.space)


def _identity(comment: str) -> str:
    """The id in a comment; "" for none."""
    if found := _ID.fullmatch(comment.rstrip()):
        return found[1]
    name = _NAME.match(comment)
    if not name:
        return ""
    numbered = _NUMBERED.fullmatch(name[1])
    return numbered[1] if numbered else name[1]


# --- lines ------------------------------------------------------------------------------------


class Lines(Protocol):
    """Reads single lines; ``space`` stands between their words."""

    space: str

    def read(self, line: str) -> tuple[str, str] | None:
        """Word and tag ("" without gold), None for a comment. DataError (without a place)."""
        ...


class _Words:
    """Lines with as many columns each as the first one has: the word first, the tag last."""

    space = " "

    def __init__(self, *, gold: bool) -> None:
        self._gold = gold
        self._width = 0

    def read(self, line: str) -> tuple[str, str] | None:
        line = line.rstrip()
        tabbed = "\t" in line
        columns = line.split("\t") if tabbed else [part for part in line.split(" ") if part]
        if line.startswith("#") and self._is_comment(columns, tabbed=tabbed):
            return None
        if self._gold and len(columns) == 1:
            raise DataError(f"no tag beside '{line[:40]}'", hint=_COLUMN_HINT)
        tag = check_tag(columns[-1]) if self._gold else ""
        if self._width not in (0, len(columns)):
            what = f"{self._width} columns expected, as above, {len(columns)} found"
            raise DataError(what, hint="put tabs between columns where a word holds a space")
        word = columns[0].strip()
        if not word:
            hint = 'name the form "characters" if the words are single characters'
            raise DataError("no word before the tag", hint=hint)
        self._width = len(columns)
        return word, tag

    def _is_comment(self, columns: list[str], *, tabbed: bool) -> bool:
        """For a line that starts with #: whether it is anything else than a word like #tag."""
        tagged = len(columns) > 1 and is_tag(columns[-1])
        if tabbed:
            return bool(_HASHES.match(columns[0])) or (self._gold and not tagged)
        if len(columns) == 1:
            return self._gold
        if self._width:
            return len(columns) != self._width or (self._gold and not tagged)
        return not tagged or (len(columns) > 2 and not columns[0].strip("#"))


class _Characters:
    """Lines with one character, which may be a space, a tab and the tag."""

    space = ""

    def __init__(self, *, gold: bool) -> None:
        self._gold = gold

    def read(self, line: str) -> tuple[str, str] | None:
        character, tab, tag = line.rpartition("\t")
        character = character if tab else line
        single = len(character) == 1 or regex.fullmatch(r"\X", character)
        if line.startswith("#") and not single:
            return None
        if not single:
            what = f"'{character[:40]}' is not one character"
            raise DataError(what, hint='use the form "conll" for words')
        if self._gold and not tab:
            raise DataError(f"no tag beside '{character}'", hint=_COLUMN_HINT)
        return character, check_tag(tag.rstrip()) if self._gold else ""
