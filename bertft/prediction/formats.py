"""Answers as lines of a file: jsonl, csv, tsv, txt; for entities also conll (and html, which is a
page: reports/entities_page.py).

csv and tsv hold one row per answer (nested values as JSON, several labels joined by "|"); txt the
answer in short, one line each. A writer is a context: ``with FORMATS["txt"](file) as write``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from bertft.contracts import Answer
from bertft.terminal import Writable

Write = Callable[[Answer], None]

NESTED = {"scores", "answers"}
"""Fields that have no column in csv and tsv."""


@contextmanager
def _jsonl(file: Writable) -> Iterator[Write]:
    yield lambda answer: _line(file, json.dumps(answer, ensure_ascii=False))


@contextmanager
def _csv(file: Writable) -> Iterator[Write]:
    yield _rows(file, delimiter=",")


@contextmanager
def _tsv(file: Writable) -> Iterator[Write]:
    yield _rows(file, delimiter="\t")


def _rows(file: Writable, *, delimiter: str) -> Write:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    header: list[str] = []

    def write(answer: Answer) -> None:
        if not header:
            header.extend(name for name in answer if name not in NESTED)
            writer.writerow(header)
        writer.writerow([_cell(name, answer.get(name)) for name in header])

    return write


def _cell(name: str, value: Any) -> Any:
    if name == "labels" and isinstance(value, list):
        return "|".join(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


@contextmanager
def _text(file: Writable) -> Iterator[Write]:
    yield lambda answer: _line(file, _in_short(answer))


def _in_short(answer: Answer) -> str:
    """One line: entities inside their text; else the answer, its probability and the text."""
    if "entities" in answer:
        return _flat("".join(f"[{t}]({label})" if label else t for t, label in text_parts(answer)))
    if "value" in answer:
        best, score = f"{answer['value']:.3f}", ""
    elif "question" in answer:
        best, score = _flat(answer["answer"]) or "-", f"{answer['score']:.3f}"
    else:
        labels = answer["labels"] if "labels" in answer else [answer["label"]]
        best = _flat("|".join(labels)) or "-"
        score = f"{answer['score']:.3f}" if "score" in answer else "-"
    names = ("text", "text_pair", "premise", "hypothesis", "question")
    texts = " ||| ".join(answer[name] for name in names if name in answer)
    return "\t".join(part for part in (best, score, _flat(texts)) if part)


def text_parts(answer: Answer) -> Iterator[tuple[str, str]]:
    """The text in parts, each with its entity type, "" for what is none."""
    text, done = answer["text"], 0
    for entity in answer["entities"]:
        yield text[done : entity["start"]], ""
        yield entity["text"], entity["label"]
        done = entity["end"]
    yield text[done:], ""


@contextmanager
def _conll(file: Writable) -> Iterator[Write]:
    """Word, tab, BIO tag; a blank line after each text. Words end at white space and entities."""

    def write(answer: Answer) -> None:
        for word, tag in _tagged_words(answer):
            _line(file, f"{word}\t{tag}")
        _line(file, "")

    yield write


def _tagged_words(answer: Answer) -> Iterator[tuple[str, str]]:
    for text, label in text_parts(answer):
        for number, word in enumerate(text.split()):
            yield word, f"{'I' if number else 'B'}-{label}" if label else "O"


def _line(file: Writable, text: str) -> None:
    file.write(text + "\n")


def _flat(text: str) -> str:
    return " ".join(text.split())


Format = Callable[[Writable], AbstractContextManager[Write]]

FORMATS: dict[str, Format] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "txt": _text,
    "conll": _conll,
}
