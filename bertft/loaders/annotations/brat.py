"""brat's stand-off annotations: a folder of texts (.txt), each with its annotations (.ann).

Each document is one text. Spans in several parts, relations, events and attributes have no place
in tags: they are left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertft.errors import DataError
from bertft.loaders import Row, Table
from bertft.loaders.files import MAX_LINE, open_text
from bertft.loaders.source import Source, refuse

ANNOTATIONS = ".ann"
TEXT = ".txt"

_SPAN = re.compile(r"T\S*\t(\S+) (\d+) (\d+)(\t.*)?", re.S)
_PARTS = re.compile(r"T\S*\t\S+ \d+ \d+(;\d+ \d+)+(\t.*)?", re.S)
_KINDS = {"R": "relations", "E": "events", "A": "attributes", "M": "attributes", "N": "references",
          "*": "relations", "#": "comments"}  # fmt: skip


def read_folder(source: Source) -> Table:
    """A row for each document, by name. Raises DataError for a folder without any."""
    folder = Path(source.path)
    texts = sorted(folder.rglob(f"*{TEXT}"))
    done = [0]
    source.meter.notes.append(f"read as a folder of brat: {len(texts)} documents")
    return Table(
        path=source.path,
        columns=("id", "text", "entities"),
        rows=_rows(folder, texts, source, done),
        fraction=lambda: done[0] / max(1, len(texts)),
    )


def _rows(folder: Path, texts: list[Path], source: Source, done: list[int]) -> Iterator[Row]:
    for number, path in enumerate(texts, start=1):
        done[0] = number
        beside = path.with_suffix(ANNOTATIONS)
        try:
            if source.gold and not beside.exists():
                source.meter.counts[f"texts without annotations ({ANNOTATIONS}) are left out"] += 1
                continue
            text = _read(path, source)
            spans = _spans(beside, source) if source.gold else []
        except DataError as error:
            source.bad_row(error)
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        yield Row({"id": name, "text": text, "entities": spans}, 1, path=str(path))


def _read(path: Path, source: Source) -> str:
    with open_text(source, path=str(path), bad_row=refuse) as file:
        return file.read(most=MAX_LINE)


def _spans(path: Path, source: Source) -> list[dict[str, Any]]:
    spans = []
    counts = source.meter.counts
    for number, line in enumerate(_read(path, source).split("\n"), start=1):
        line = line.removesuffix("\r")
        if found := _SPAN.fullmatch(line):
            covered = {"text": found[4][1:]} if found[4] and len(found[4]) > 1 else {}
            spans.append(
                {"start": int(found[2]), "end": int(found[3]), "label": found[1], **covered}
            )
        elif _PARTS.fullmatch(line):
            counts["spans in several parts are left out"] += 1
        elif line[:1] in _KINDS:
            counts[f"{_KINDS[line[0]]} are left out"] += 1
        elif line.strip():
            raise DataError(f"'{line[:40]}' is no annotation of brat", path=str(path), line=number)
    return spans
