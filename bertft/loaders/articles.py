"""Nested question files: articles, their paragraphs, their questions -> flat records.

In: a TextFile that holds ``{"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}``, the
shape of SQuAD, KorQuAD 1.0 and KLUE-MRC; articles that are one paragraph themselves, as in KorQuAD
2; or plain records in ``data``. Out: a Record for each question, with the context and the title
beside its own fields. The text is held whole, its records one article at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bertft.errors import DataError
from bertft.loaders.files import TextFile
from bertft.loaders.ids import ID_COLUMNS, id_of
from bertft.loaders.json_text import HALF_PAIR, JsonError, JsonReader, is_writable, skip_space
from bertft.loaders.source import BadRow

NEWS_SHAPE = (
    'text, questions and consensus are NewsQA\'s: write {"context": ..., "question": ..., '
    '"answers": {"text": [...], "answer_start": [...]}} on each line of a .jsonl file'
)
SHAPE = '{"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]} is expected'


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one question, and where it stands: a line, and the way to it in nested JSON.

    ``id`` is its own, else its number in the file.
    """

    fields: Mapping[str, Any]
    line: int
    path: str
    where: str = ""
    id: str = ""

    def error(self, fault: str, *, hint: str = "", code: str = "") -> DataError:
        """A DataError that names file, line and place."""
        place = f"{self.where}: " if self.where else ""
        return DataError(
            place + fault, path=self.path, line=self.line, hint=hint, code=code, row=self.id
        )


def read_articles(file: TextFile, *, bad_row: BadRow) -> Iterator[Record]:
    """A Record for each question. What is not of the shape goes to ``bad_row``.

    Raises DataError for a file that is not JSON, or has no ``data`` list: nothing can be read then.
    """
    with file:
        text = file.read()
        line, seen, count = 1, 0, 0
        for index, (article, start, end, fault) in enumerate(_articles(text, name=file.name)):
            where = f"data[{index}]"
            line += text.count("\n", seen, start)
            seen = start
            if fault in ("", HALF_PAIR):  # which questions hold it is looked at one by one
                lines = _Lines(text, start, end, line=line)
                for record in _article(
                    article, lines, where=where, path=file.name, bad_row=bad_row
                ):
                    count += 1
                    if not record.id:
                        record = replace(record, id=str(count))
                    if not fault or is_writable(record.fields):
                        yield record
                    else:
                        bad_row(record.error(HALF_PAIR))
            else:
                bad_row(DataError(f"{where}: {fault}", path=file.name, line=line))


def _article(
    article: Any, lines: _Lines, *, where: str, path: str, bad_row: BadRow
) -> Iterator[Record]:
    """Its questions, as they are written."""

    def wrong(fault: str, place: str, hint: str = SHAPE) -> None:
        bad_row(DataError(f"{place}: {fault}", path=path, line=lines.number(), hint=hint))

    article = article if isinstance(article, dict) else {}
    if "question" in article and "context" in article:  # a record as in flat files
        identity = id_of(article)
        yield Record(article, lines.number(identity), path, where, identity)
        return
    itself = "qas" in article and "paragraphs" not in article
    paragraphs = [article] if itself else article.get("paragraphs")
    if not isinstance(paragraphs, list):
        wrong("no list 'paragraphs'", where, NEWS_SHAPE if "questions" in article else SHAPE)
        return
    for number, paragraph in enumerate(paragraphs):
        place = where if itself else f"{where}.paragraphs[{number}]"
        questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
        if not isinstance(questions, list):
            wrong("no list 'qas'", place)
            continue
        shared = {"context": paragraph.get("context"), "title": article.get("title")}
        for position, question in enumerate(questions):
            spot = f"{place}.qas[{position}]"
            if isinstance(question, dict):
                identity = id_of(question)
                fields = {**question, **shared}
                yield Record(fields, lines.number(identity), path, spot, identity)
            else:
                wrong("a question is an object {...}", spot)


_KEYS = "|".join(ID_COLUMNS)


class _Lines:
    """Line numbers inside one article, by the ids of its questions, asked for in file order."""

    def __init__(self, text: str, start: int, end: int, *, line: int) -> None:
        self._text, self._at, self._end = text, start, end
        self._line = line
        self._several = text.find("\n", start, end) >= 0

    def number(self, identity: str = "") -> int:
        """The line of the next ``"id": identity``; where there is none, that of the one before."""
        if self._several and identity:
            for escaped in (False, True):
                value = re.escape(json.dumps(identity, ensure_ascii=escaped))
                # A number stands there without quotes.
                value = rf"(?:{value}|{re.escape(identity)}\b)"
                found = re.compile(rf'"(?i:{_KEYS})"\s*:\s*{value}').search(
                    self._text, self._at, self._end
                )
                if found:
                    self._line += self._text.count("\n", self._at, found.start())
                    self._at = found.start()
                    break
            else:  # an id that is written otherwise: the search is not begun again for each
                self._several = False
        return self._line


def _articles(text: str, *, name: str) -> Iterator[tuple[Any, int, int, str]]:
    """Each element of the list ``data`` with its place in the text, and why it cannot be used
    ("" when it can); other keys are passed over."""
    reader = JsonReader()
    at = _after(text, 0, "{", name=name)
    seen = False
    more = not text.startswith("}", at)
    while more:
        key, at, _ = _value(reader, text, at, name=name)
        at = _after(text, at, ":", name=name)
        if key == "data" and text.startswith("[", at):
            seen = True
            at = _after(text, at, "[", name=name)
            while not text.startswith("]", at):
                article, end, fault = _value(reader, text, at, name=name)
                yield article, at, end, fault
                at = _comma(text, end, "]", name=name)
            at = skip_space(text, at + 1)
        else:
            _, at, _ = _value(reader, text, at, name=name)
        at = _comma(text, at, "}", name=name)
        more = not text.startswith("}", at)
    if (rest := skip_space(text, at + 1)) < len(text):
        hint = "JSON lines have the suffix .jsonl"
        raise _broken(text, rest, "more text after the end", name=name, hint=hint)
    if not seen:
        raise DataError("no list 'data': not a SQuAD file", path=name, line=1, hint=SHAPE)


def _value(reader: JsonReader, text: str, at: int, *, name: str) -> tuple[Any, int, str]:
    """The JSON value at a place, the place after it and the space behind it, and its fault."""
    try:
        value, end, reason = reader.value(text, at)
    except JsonError as fault:
        line = text.count("\n", 0, fault.at) + 1
        raise DataError(str(fault), path=name, line=line) from None
    return value, skip_space(text, end), reason


def _after(text: str, at: int, mark: str, *, name: str) -> int:
    at = skip_space(text, at)
    if not text.startswith(mark, at):
        raise _broken(text, at, f"'{mark}' is expected", name=name)
    return skip_space(text, at + 1)


def _comma(text: str, at: int, close: str, *, name: str) -> int:
    """The place of the next value, or of the bracket that closes."""
    if text.startswith(close, at):
        return at
    at = _after(text, at, ",", name=name)
    if text.startswith(close, at):
        raise _broken(text, at, f"a ',' stands before '{close}'", name=name)
    return at


def _broken(text: str, at: int, fault: str, *, name: str, hint: str = "") -> DataError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    reason = f"not valid JSON: {fault} (character {column} of the line)"
    return DataError(reason, path=name, line=line, hint=hint)
