"""Passages: what a search finds. A document goes in, or a table with a passage or a question and an
answer in each row; Passages come out, in file order.

A document is cut at its paragraphs; long ones behind sentences, and short ones (headings) go with
what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bertft.errors import DataError
from bertft.loaders import length_fault
from bertft.loaders.blocks import Block, is_document, read_blocks, width_of
from bertft.loaders.column_names import ANSWER, CONTEXT, QUESTION, named
from bertft.loaders.documents import split_sentences
from bertft.loaders.ids import RowIds
from bertft.loaders.rows import pick_column, read_rows
from bertft.loaders.source import Source
from bertft.prediction.passages import PASSAGE_COLUMNS
from bertft.settings import Section

WIDEST = 800
"""Columns of a passage: 130 English words, or 400 Korean syllables; 200 tokens or so."""
SHORT = 80
"""Columns of a paragraph that is read with the next one, as headings are."""
REPLIES = (*ANSWER, "answers", "response", "reply", "회신", "응답")


class PassageColumns(Section):
    """``--set task.``: the columns of a table; "" looks for their usual names."""

    text_column: str = ""
    question_column: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and where it stands in its file; ``id`` is that of a row. ``question`` is what it
    answers, where the file says that: then a query is compared with the question."""

    text: str
    unit: str
    number: int
    id: str = ""
    question: str = ""

    @property
    def compared(self) -> str:
        """What the vector of a query is compared with."""
        return self.question or self.text

    @property
    def shown(self) -> str:
        """All that it says."""
        return f"{self.question}\n{self.text}" if self.question else self.text


def read_passages(source: Source, columns: PassageColumns) -> Iterator[Passage]:
    """The passages of a file. Raises DataError for what cannot be read."""
    if is_document(source.path):
        return cut(read_blocks(source))
    return _rows(source, columns)


def cut(blocks: Iterable[Block]) -> Iterator[Passage]:
    """Blocks as passages of at most WIDEST columns; each keeps the place of its first block."""
    text, first = "", Block("", "line", 0)
    for block in blocks:
        for piece, glue in _pieces(block.text):
            width = width_of(text)
            goes_on = bool(glue) or width < SHORT
            other_page = block.unit == "page" and block.number != first.number
            if text and (not goes_on or other_page or width + width_of(piece) >= WIDEST):
                yield Passage(text, first.unit, first.number)
                text = ""
            first = first if text else block
            text += (glue or "\n") + piece if text else piece
    if text:
        yield Passage(text, first.unit, first.number)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a block, and what goes before each: "" before the first."""
    glue = ""
    for line in text.splitlines():
        for sentence in split_sentences(line):
            for part in _parts(sentence):
                yield part, glue
                glue = " "
        glue = "\n" if glue else ""


def _parts(sentence: str) -> Iterator[str]:
    """A sentence, cut at spaces where it is longer than a passage."""
    while width_of(sentence) >= WIDEST:
        most = WIDEST // 2 if width_of(sentence[:WIDEST]) > WIDEST else WIDEST - 1
        place = sentence.rfind(" ", 1, most)
        place = most if place < 0 else place
        yield sentence[:place].strip()
        sentence = sentence[place:].strip()
    if sentence:
        yield sentence


def _rows(source: Source, columns: PassageColumns) -> Iterator[Passage]:
    table = read_rows(source)
    question, answer = _find_columns(table.columns, columns, source)
    ids = RowIds(table, source.meter)
    for row in table:
        name = ids.of(row)
        try:
            text, asked = _text(row.fields, answer), _text(row.fields, question)
        except ValueError as error:
            source.bad_row(DataError(str(error), path=table.path, line=row.line, row=name))
            continue
        if text or asked:
            own = name if source.meter.own_ids else ""
            yield Passage(text, "line", row.line, own, " ".join(asked.split()))
        else:
            source.meter.counts["rows hold no text and are left out"] += 1


def _text(fields: Mapping[str, Any], column: str) -> str:
    """The text of a cell; "" of none. ValueError for what is no text."""
    value = fields.get(column) if column else ""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"no text in column '{column}'")
    if fault := length_fault(value or ""):
        raise ValueError(fault)
    return (value or "").strip()


def _find_columns(
    found: tuple[str, ...], columns: PassageColumns, source: Source
) -> tuple[str, str]:
    """(question or "", passage); both are said where a table is one of questions and answers."""
    question = columns.question_column
    if question:
        question = pick_column(found, question, (), what="question", path=source.path)
    elif not columns.text_column and not named(found, CONTEXT) and named(found, REPLIES):
        question = next(iter(named(found, QUESTION)), "")
    usual = REPLIES if question else PASSAGE_COLUMNS
    text = pick_column(
        found, columns.text_column, usual, what="text", path=source.path, taken=(question,)
    )
    if question:
        source.meter.notes.append(f"questions in '{question}', answers in '{text}'")
    return question, text
