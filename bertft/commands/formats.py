"""Answers as lines of a file: jsonl, csv, tsv or txt. One Writer serves one output.

csv and tsv hold one row per answer (nested values as JSON, several labels joined by "|"), txt the
label, its probability and the text.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any, TextIO

from bertft.contracts import Answer

Write = Callable[[Answer], None]


def _jsonl(file: TextIO) -> Write:
    def write(answer: Answer) -> None:
        file.write(json.dumps(answer, ensure_ascii=False) + "\n")

    return write


def _rows(file: TextIO, *, delimiter: str) -> Write:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    header: list[str] = []

    def write(answer: Answer) -> None:
        if not header:
            header.extend(name for name in answer if name != "scores")
            writer.writerow(header)
        writer.writerow([_cell(answer.get(name)) for name in header])

    return write


def _cell(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "|".join(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _text(file: TextIO) -> Write:
    def write(answer: Answer) -> None:
        labels = answer["labels"] if "labels" in answer else [answer["label"]]
        best = f"{answer['score']:.3f}" if "score" in answer else "-"
        texts = " ||| ".join(answer[name] for name in ("text", "text_pair") if name in answer)
        flat = " ".join(texts.split())
        file.write(f"{'|'.join(labels) or '-'}\t{best}\t{flat}\n")

    return write


FORMATS: dict[str, Callable[[TextIO], Write]] = {
    "jsonl": _jsonl,
    "csv": lambda file: _rows(file, delimiter=","),
    "tsv": lambda file: _rows(file, delimiter="\t"),
    "txt": _text,
}
