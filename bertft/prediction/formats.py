"""Answers as lines of a file: jsonl, csv, tsv, txt; for entities also conll (and html, which is a
page: reports/entities_page.py).

csv and tsv are tables (tables.py; workbooks.py writes xlsx); txt holds the answer in short, one
line each; doccano and label-studio are what these tools import (preannotations.py). All but txt and
html are read again by loaders/ as they were written. A row without an answer has its error in its
place, in conll as a comment.

A writer is a context: ``with FORMATS["txt"](file) as write``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bertft.contracts import Answer
from bertft.prediction.preannotations import doccano_row, label_studio_task
from bertft.prediction.tables import comma_separated, tab_separated
from bertft.terminal import Writable

Write = Callable[[Answer], None]


@contextmanager
def _jsonl(file: Writable) -> Iterator[Write]:
    yield lambda answer: _line(file, json.dumps(answer, ensure_ascii=False))


@contextmanager
def _text(file: Writable) -> Iterator[Write]:
    yield lambda answer: _line(file, _in_short(answer))


def _in_short(answer: Answer) -> str:
    """One line: entities inside their text; else the answer, its probability and the text."""
    if "error" in answer:
        return "\t".join(("-", "-", _flat(f"({answer['id']}: {answer['error']})")))
    if "entities" in answer:
        return _flat("".join(f"[{t}]({label})" if label else t for t, label in text_parts(answer)))
    if "value" in answer:
        best, score = f"{answer['value']:.4f}", ""
    elif "question" in answer:
        best, score = _flat(answer["answer"] or "") or "-", f"{answer['score']:.4f}"
    else:
        labels = answer["labels"] if "labels" in answer else answer.get("label_set")
        labels = [answer["label"] or ""] if labels is None else labels
        best = _flat("|".join(labels)) or "-"
        best += " (out of scope)" if answer.get("out_of_scope") else ""
        score = f"{answer['score']:.4f}" if "score" in answer else "-"
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
        if "error" in answer:
            _line(file, f"# {_flat(str(answer['id']))}: {_flat(answer['error'])}")
        for word, tag in _tagged_words(answer) if "error" not in answer else ():
            _line(file, f"{word}\t{tag}")
        _line(file, "")

    yield write


def _tagged_words(answer: Answer) -> Iterator[tuple[str, str]]:
    for text, label in text_parts(answer):
        for number, word in enumerate(text.split()):
            yield word, f"{'I' if number else 'B'}-{label}" if label else "O"


@contextmanager
def _doccano(file: Writable) -> Iterator[Write]:
    yield lambda answer: _line(file, json.dumps(doccano_row(answer), ensure_ascii=False))


@contextmanager
def _label_studio(file: Writable) -> Iterator[Write]:
    """A JSON array, a task to a line."""
    between = "["

    def write(answer: Answer) -> None:
        nonlocal between
        _line(file, between + json.dumps(label_studio_task(answer), ensure_ascii=False))
        between = ","

    yield write
    _line(file, "]" if between == "," else "[]")


def _line(file: Writable, text: str) -> None:
    file.write(text + "\n")


def _flat(text: str) -> str:
    return " ".join(text.split())


Format = Callable[[Writable], AbstractContextManager[Write]]

FORMATS: dict[str, Format] = {
    "jsonl": _jsonl,
    "csv": comma_separated,
    "tsv": tab_separated,
    "txt": _text,
    "conll": _conll,
    "doccano": _doccano,
    "label-studio": _label_studio,
}
ANNOTATION_FORMATS = {"doccano", "label-studio"}
"""For texts with entities or with labels."""
