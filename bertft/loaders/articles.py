"""Nested question files: articles, their paragraphs, their questions -> flat records.

In: a TextFile that holds ``{"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}``, the
shape of SQuAD, KorQuAD 1.0 and KLUE-MRC. Out: a Record for each question, with the context and the
title beside its own fields. The text is held whole, its records one article at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bertft.contracts import BadRow
from bertft.errors import DataError
from bertft.loaders.files import TextFile

SHAPE = '{"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]} is expected'

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one question, and where it stands: a line, and the way to it in nested JSON."""

    fields: Mapping[str, Any]
    line: int
    path: str
    where: str = ""

    def error(self, fault: str, *, hint: str = "") -> DataError:
        """A DataError that names file, line and place."""
        place = f"{self.where}: " if self.where else ""
        return DataError(place + fault, path=self.path, line=self.line, hint=hint)


def read_articles(file: TextFile, *, bad_row: BadRow) -> Iterator[Record]:
    """A Record for each question. What is not of the shape goes to ``bad_row``.

    Raises DataError for a file that is not JSON, or has no ``data`` list: nothing can be read then.
    """
    with file:
        text = file.read()
        for index, (article, start, end) in enumerate(_articles(text, name=file.name)):
            where = f"data[{index}]"
            lines = _Lines(text, start, end)
            yield from _article(article, lines, where=where, path=file.name, bad_row=bad_row)


def _article(
    article: Any, lines: _Lines, *, where: str, path: str, bad_row: BadRow
) -> Iterator[Record]:
    def wrong(fault: str, place: str) -> None:
        bad_row(DataError(f"{place}: {fault}", path=path, line=lines.number(), hint=SHAPE))

    paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
    if not isinstance(paragraphs, list):
        wrong("no list 'paragraphs'", where)
        return
    for number, paragraph in enumerate(paragraphs):
        place = f"{where}.paragraphs[{number}]"
        questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
        if not isinstance(questions, list):
            wrong("no list 'qas'", place)
            continue
        shared = {"context": paragraph.get("context"), "title": article.get("title")}
        for position, question in enumerate(questions):
            spot = f"{place}.qas[{position}]"
            if isinstance(question, dict):
                line = lines.number(question.get("id", question.get("guid")))
                record = Record({**question, **shared}, line=line, path=path, where=spot)
                if fault := _half_pair(record.fields):
                    bad_row(record.error(fault))
                else:
                    yield record
            else:
                wrong("a question is an object {...}", spot)


class _Lines:
    """Line numbers inside one article, by the ids of its questions, asked for in file order."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._at, self._end = text, start, end
        self._line = text.count("\n", 0, start) + 1 if "\n" in text else 1
        self._several = "\n" in text[start:end]

    def number(self, identity: Any = None) -> int:
        """The line of the next ``"id": identity``; where there is none, that of the one before."""
        if self._several and isinstance(identity, str | int):
            for escaped in (False, True):
                value = re.escape(json.dumps(identity, ensure_ascii=escaped))
                found = re.compile(rf'"(?:id|guid)"\s*:\s*{value}').search(
                    self._text, self._at, self._end
                )
                if found:
                    self._line += self._text.count("\n", self._at, found.start())
                    self._at = found.start()
                    break
        return self._line


def _articles(text: str, *, name: str) -> Iterator[tuple[Any, int, int]]:
    """Each element of the list ``data`` with its place in the text; other keys are passed over."""
    at = _after(text, 0, "{", name=name)
    seen = False
    more = not text.startswith("}", at)
    while more:
        key, at = _value(text, at, name=name)
        at = _after(text, at, ":", name=name)
        if key == "data" and text.startswith("[", at):
            seen = True
            at = _after(text, at, "[", name=name)
            while not text.startswith("]", at):
                article, end = _value(text, at, name=name)
                yield article, at, end
                at = _comma(text, end, "]", name=name)
            at = _skip(text, at + 1)
        else:
            _, at = _value(text, at, name=name)
        at = _comma(text, at, "}", name=name)
        more = not text.startswith("}", at)
    if (rest := _skip(text, at + 1)) < len(text):
        hint = "JSON lines have the suffix .jsonl"
        raise _broken(text, rest, "more text after the end", name=name, hint=hint)
    if not seen:
        raise DataError("no list 'data': not a SQuAD file", path=name, line=1, hint=SHAPE)


def _value(text: str, at: int, *, name: str) -> tuple[Any, int]:
    """The JSON value at a place, and the place after it and the space behind it."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _broken(text, error.pos, error.msg, name=name) from None
    except (ValueError, RecursionError) as error:
        fault = "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
        raise _broken(text, at, fault, name=name) from None
    return value, _skip(text, end)


def _after(text: str, at: int, mark: str, *, name: str) -> int:
    at = _skip(text, at)
    if not text.startswith(mark, at):
        raise _broken(text, at, f"'{mark}' is expected", name=name)
    return _skip(text, at + 1)


def _comma(text: str, at: int, close: str, *, name: str) -> int:
    """The place of the next value, or of the bracket that closes."""
    if text.startswith(close, at):
        return at
    at = _after(text, at, ",", name=name)
    if text.startswith(close, at):
        raise _broken(text, at, f"a ',' stands before '{close}'", name=name)
    return at


def _skip(text: str, at: int) -> int:
    gap = _SPACE.match(text, at)
    return gap.end() if gap else at


def _broken(text: str, at: int, fault: str, *, name: str, hint: str = "") -> DataError:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    reason = f"not valid JSON: {fault} (character {column} of the line)"
    return DataError(reason, path=name, line=line, hint=hint)


def _half_pair(fields: Mapping[str, Any]) -> str:
    """Why a record cannot be encoded; "" when it can."""
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair (\\ud800 to \\udfff) is not a character"
    return ""
