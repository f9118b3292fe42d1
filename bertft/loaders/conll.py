"""Tagged text for entity recognition, from every form in which it is handed around.

In: a Source. Out: TaggedText, streamed. The forms:

conll        a word and its tag on each line, apart by tabs or spaces, perhaps other columns beside
             them (word_lines.py), a blank line behind each sentence; the text is the words with
             spaces between
characters   a character (perhaps a space) and its tag on each line, as in KLUE-NER
table        rows with a text and its entities (or the probabilities of its tags), words and their
             tags, or one word each (tagged_rows.py), also as annotation tools write them
             (annotations/)
brat         a folder of texts (.txt) and annotations (.ann)
text         plain text, for predictions only (rows.py)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePath

from bertft.errors import DataError
from bertft.loaders import length_fault
from bertft.loaders.ahead import Ahead
from bertft.loaders.annotations.brat import ANNOTATIONS, read_folder
from bertft.loaders.files import STDIN, TextFile, open_text, resolve
from bertft.loaders.ids import SentenceIds
from bertft.loaders.rows import read_rows
from bertft.loaders.source import Source
from bertft.loaders.suffixes import FORMATS, TAGGED
from bertft.loaders.tag_spelling import STANDARD, find_spelling, is_tag
from bertft.loaders.tagged import (
    PEEK_SENTENCES,
    PEEK_WORDS,
    TaggedText,
    TaggedWords,
    join_words,
    with_entities,
)
from bertft.loaders.tagged_rows import TEXT_COLUMNS, TagColumns, read_tagged_rows
from bertft.loaders.word_lines import (
    COLUMN_HINT,
    Block,
    CharacterLines,
    Lines,
    WordLines,
    find_layout,
    header_of,
)
from bertft.loaders.word_rows import SENTENCE_COLUMNS
from bertft.recipe import HUB

__all__ = ["TaggedText", "read_tagged"]

PLAIN = ("", ".txt", ".md", ".text")
JSON_LINES = (".jsonl", ".jsonl.gz")
"""Rows, whatever form the other files of a recipe have."""
MAX_LINES = 100_000
"""Lines of one sentence."""
OTHERS = {
    ".spacy": "spaCy's binary form; write JSON lines with text and spans, or the list of triples",
    ".xml": "XML; export the annotations as JSON lines, CoNLL or brat",
    ".ann": "one document of brat; give its folder",
    ".py": "a program; write the list in it with json.dump",
}
"""What is not read, and what to do instead."""

_DOCUMENT = re.compile(r"-DOCSTART-(\s|$)")
_ID = re.compile(r"#+\s*(?:sent_)?id\s*[=:]\s*(\S.*)")
_NAME = re.compile(r"##\s+(\S+)\t")
_NUMBERED = re.compile(r"(.*_\d+)-\w+")  # KLUE: klue-ner-v1_dev_00000-wikitree


def read_tagged(
    source: Source,
    *,
    scheme: str = "auto",
    form: str = "auto",
    columns: TagColumns | None = None,
) -> Iterator[TaggedText]:
    """The texts of a source with their entities, in file order and in bounded memory.

    ``scheme`` is ``bio``, ``iob1``, ``bioes``, or ``auto``: what the first 2,000 sentences are in.
    ``form`` is ``conll``, ``characters``, ``table``, or ``auto``: what the suffix says, and the
    first sentences. ``columns`` names columns, and what offsets count. Without ``source.gold``
    there need be no tags, and none are read. What was guessed goes to ``source.meter``.

    Raises:
        DataError: the source cannot be read, or a sentence of it (unless ``bad_row`` skips it).
        ValueError: there is no such scheme or form.
    """
    if scheme not in ("auto", "bio", "iob1", "bioes"):
        raise ValueError(f"unknown scheme '{scheme}'")
    if form not in ("auto", "conll", "characters", "table"):
        raise ValueError(f"unknown form '{form}'")
    columns = columns or TagColumns()
    kind = _form(source) if form == "auto" else form
    if kind == "brat":
        return read_tagged_rows(source, scheme=scheme, columns=columns, table=read_folder(source))
    is_table = kind == "characters" and _form(source) == "table"
    if kind == "table" or is_table or source.path.lower().endswith(JSON_LINES):
        by_character = kind == "characters"
        return read_tagged_rows(source, scheme=scheme, columns=columns, by_character=by_character)
    if kind == "text":
        return _texts(source)
    return with_entities(_sentences(source, form=kind, columns=columns), scheme=scheme)


def _form(source: Source) -> str:
    """table, brat, text, conll, characters, or ``lines`` for either of the last two."""
    if source.format in ("conll", "characters"):
        return source.format
    if source.path.startswith(HUB):
        return "table"
    if not source.format and source.path != STDIN and Path(source.path).is_dir():
        return "brat" if any(Path(source.path).rglob(f"*{ANNOTATIONS}")) else "text"
    name = source.path.lower().removesuffix(".gz")
    suffix = ".txt" if source.path == STDIN else PurePath(name).suffix
    if source.format == "txt" or (not source.format and suffix in PLAIN):
        return "lines" if source.gold else "text"
    if source.format:
        return "table"
    if suffix in TAGGED:
        return "table" if suffix == ".tsv" and _has_header(source) else "lines"
    if suffix in FORMATS:
        return "table"
    resolve(source.path)
    shown = ", ".join(dict.fromkeys((*TAGGED, *FORMATS, ".txt")))
    told = f"not read: {OTHERS[suffix]}" if suffix in OTHERS else "not a known form of tagged text"
    raise DataError(
        told,
        path=source.path,
        hint=f"supported: {shown}; or name the form: --set task.form=conll",
    )


def _has_header(source: Source) -> bool:
    """True when a TSV file starts with the column names of a table, not of words and tags."""
    if not resolve(source.path).is_file():
        return False  # a pipe is read once
    with TextFile(source.path, encoding=source.data.encoding, bad_row=lambda _: None) as file:
        lines = [line for _, line in islice(file, 50) if line and not line.isspace()][:2]
    if not lines:
        return False
    cells = [cell.strip().strip('"') for cell in lines[0].split("\t")]
    if len(cells) < 2 or is_tag(cells[-1]):
        return False
    names = {cell.casefold() for cell in cells}
    if names & set(TEXT_COLUMNS) or names & set(SENTENCE_COLUMNS):
        return True
    return any(cell.lstrip(' "').startswith("[") for line in lines[1:] for cell in line.split("\t"))


def _texts(source: Source) -> Iterator[TaggedText]:
    for row in read_rows(source):
        yield TaggedText(str(row.line), row.line, row.fields["text"], None, None)


def _sentences(source: Source, *, form: str, columns: TagColumns) -> Iterator[TaggedWords]:
    ahead = Ahead[Block](source.bad_row)
    blocks = _blocks(replace(source, bad_row=ahead.bad_row), form=form)
    least = PEEK_WORDS // PEEK_SENTENCES
    first = ahead.look(blocks, most=PEEK_WORDS, size=lambda block: max(least, len(block)))
    if form == "lines":
        form = "characters" if _are_characters(first) else "conll"
    reader = _characters(first, source) if form == "characters" else _words(first, source, columns)
    names = SentenceIds(source.meter)
    for block in ahead:
        try:
            sentence = _sentence(block, lines=reader, source=source)
        except DataError as error:
            source.bad_row(error)
            continue
        if sentence:
            yield replace(sentence, id=names.own(sentence.id, line=sentence.line))


def _words(first: list[Block], source: Source, columns: TagColumns) -> WordLines:
    """The reader of the lines, by what the first sentences show."""
    header = header_of(first[0]) if first else {}
    if header:
        number, line = first[0].pop(0)
        source.meter.notes.append(f"line {number} names the columns: {' '.join(line.split())}")
    try:
        layout = find_layout(
            first,
            gold=source.gold,
            header=header,
            word_column=columns.word,
            tag_column=columns.tag,
        )
    except DataError as error:
        raise DataError(error.message, path=source.path, line=1, hint=error.hint) from None
    if layout.note:
        source.meter.notes.append(layout.note)
    if not source.gold:
        layout = replace(layout, tag=None)
    return WordLines(layout, passed=source.meter.counts)


def _characters(first: list[Block], source: Source) -> CharacterLines:
    tags = {line.rpartition("\t")[2].rstrip() for block in first for _, line in block
            if "\t" in line and not line.startswith("##")}  # fmt: skip
    spelling = (find_spelling(tags) if source.gold else None) or STANDARD
    if note := spelling.note(tags):
        source.meter.notes.append(note)
    return CharacterLines(gold=source.gold, spelling=spelling)


def _blocks(source: Source, *, form: str) -> Iterator[Block]:
    """Lines between blank lines. A sentence with a line that is no text is left out as a whole."""
    broken = False

    def lose(error: DataError) -> None:
        nonlocal broken
        if not broken:
            source.bad_row(error)
        broken = True

    file = open_text(source, bad_row=lose)
    source.meter.fraction = file.fraction
    block: Block = []
    with file:
        for number, line in file:
            blank = not line.strip("\t" if form == "characters" else None)
            if not blank and not _DOCUMENT.match(line):
                block.append((number, line))
                if len(block) > MAX_LINES:
                    what = f"a sentence of more than {MAX_LINES:,} lines"
                    raise DataError(what, path=file.name, line=block[0][0], hint=COLUMN_HINT)
                continue
            if block and not broken:
                yield block
            block, broken = [], False
        if block and not broken:
            yield block


def _are_characters(blocks: list[Block]) -> bool:
    """True when every token is a single character, and one of them a space."""
    lines = CharacterLines(gold=False)
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
