"""A copy of a question file in which misplaced answers are where they belong.

In: a Source with answers. Out: the same file, in its own format and encoding, in which only
``answer_start`` has changed, and only where the place is certain (answer_places.py).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bertft.errors import DataError
from bertft.loaders.answer_places import explain
from bertft.loaders.cells import whole_number
from bertft.loaders.files import TextFile
from bertft.loaders.quoting import uses_quotes
from bertft.loaders.source import Source
from bertft.loaders.table_shape import find_delimiter
from bertft.loaders.tables import format_of

Rewriter = Callable[[str, Source], tuple[str, int]]


def repair_questions(source: Source, out: Path) -> int:
    """Write the repaired copy to ``out``; the number of answers that were moved.

    Nothing is written where there is nothing to move.

    Raises:
        DataError: the file cannot be read, is not text, or ``out`` exists or cannot be written.
    """
    kind = format_of(source.path)
    if kind not in REWRITERS:
        hint = "save it as JSON lines or SQuAD's JSON"
        raise DataError(f"--fix does not write {kind}", path=source.path, hint=hint)
    with TextFile(source.path, encoding=source.data.encoding) as file:
        text, moved = REWRITERS[kind](file.read(), source)
    if moved:
        data = text.encode(file.encoding)
        try:
            with out.open("xb") as target:
                target.write(gzip.compress(data) if out.suffix == ".gz" else data)
        except FileExistsError:
            raise DataError("exists already", path=str(out), hint="choose another --fix") from None
        except OSError as error:
            out.unlink(missing_ok=True)
            raise DataError(f"cannot be written ({error.strerror})", path=str(out)) from None
    return moved


def moved_answers(fields: Mapping[str, Any]) -> tuple[Any, int]:
    """``answers`` of a record in the shape it has, with starts moved; how many were."""
    context, value = fields.get("context"), fields.get("answers")
    if not isinstance(context, str) or str(fields.get("is_impossible")).lower() in ("true", "1"):
        return value, 0
    if isinstance(value, str):
        return _moved_cell(context, value)
    if isinstance(value, list):
        pairs = [_moved_object(context, one) for one in value]
        return [one for one, _ in pairs], sum(count for _, count in pairs)
    return _moved_object(context, value)


def _moved_cell(context: str, cell: str) -> tuple[str, int]:
    """A cell of a table that holds JSON."""
    try:
        value, moved = moved_answers({"context": context, "answers": json.loads(cell)})
    except (ValueError, RecursionError):
        return cell, 0
    return (json.dumps(value, ensure_ascii=False), moved) if moved else (cell, 0)


def _moved_object(context: str, value: Any) -> tuple[Any, int]:
    """One answer, or texts and starts in lists."""
    if not isinstance(value, Mapping):
        return value, 0
    texts, starts = value.get("text"), value.get("answer_start")
    if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
        places = [_place(context, *pair) for pair in zip(texts, starts, strict=True)]
        moved = sum(a != b for a, b in zip(places, starts, strict=True))
        return {**value, "answer_start": places}, moved
    place = _place(context, texts, starts)
    return {**value, "answer_start": place} if place != starts else value, int(place != starts)


def _place(context: str, text: Any, start: Any) -> Any:
    """Where an answer is; ``start`` where it is right, or where there is no telling."""
    number = whole_number(start)
    if not isinstance(text, str) or not text or number is None:
        return start
    if number >= 0 and context.startswith(text, number):
        return start
    place, _ = explain(context, text, number)
    return start if place is None else place


# --- formats ------------------------------------------------------------------------------------


def _json(text: str, source: Source) -> tuple[str, int]:
    """SQuAD's nested articles, or a list of records; indented as before."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON ({error})", path=source.path) from None
    moved = sum(_move(context, record) for context, record in _records(document))
    indent = re.search(r"\n(\t+| +)\S", text)
    spaces = indent[1] if indent else None
    written = json.dumps(document, ensure_ascii=text.isascii(), indent=spaces)
    return written + "\n" * text.endswith("\n"), moved


def _records(document: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every record of a document with its context."""
    if isinstance(document, list):
        yield from ((one.get("context"), one) for one in document if isinstance(one, dict))
        return
    for article in _list(document, "data"):
        for paragraph in _list(article, "paragraphs"):
            for question in _list(paragraph, "qas"):
                if isinstance(question, dict):
                    yield paragraph.get("context"), question


def _list(value: Any, name: str) -> list[Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, list) else []


def _move(context: Any, record: dict[str, Any]) -> int:
    """Move the answers of a record in place; how many were moved."""
    answers, moved = moved_answers({**record, "context": context})
    if moved:
        record["answers"] = answers
    return moved


def _lines(text: str, source: Source) -> tuple[str, int]:
    """JSON lines: those without a fault stay as they are."""
    lines, total = [], 0
    for line in text.split("\n"):
        try:
            record = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            record = None
        moved = _move(record.get("context"), record) if isinstance(record, dict) else 0
        end = "\r" * line.endswith("\r")
        lines.append(json.dumps(record, ensure_ascii=line.isascii()) + end if moved else line)
        total += moved
    return "\n".join(lines), total


def _table(text: str, source: Source) -> tuple[str, int]:
    """CSV and TSV with a header; the delimiter and the way of quoting are those of the recipe."""
    settings = source.data
    comma = format_of(source.path) == "csv"
    delimiter = settings.delimiter or find_delimiter(text, usual="," if comma else "\t")
    quoted = settings.quoting == "standard"
    if settings.quoting == "auto":
        quoted = comma or uses_quotes(text.replace("\r\n", "\n"), width=0, whole=True)
    if not quoted or not settings.header:
        hint = "save it as CSV with quotes, or as JSON lines"
        raise DataError("--fix needs a table with a header and quotes", path=source.path, hint=hint)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    columns = settings.columns or (rows[0] if rows else [])
    total = 0
    for row in rows[1:]:
        fields: dict[str, Any] = dict(zip(columns, row, strict=False))
        answers, moved = moved_answers(fields)
        if moved:
            row[columns.index("answers")] = answers
            total += moved
    out = io.StringIO(newline="")
    end = "\r\n" if "\r\n" in text else "\n"
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue(), total


REWRITERS: dict[str, Rewriter] = {"json": _json, "jsonl": _lines, "csv": _table, "tsv": _table}
