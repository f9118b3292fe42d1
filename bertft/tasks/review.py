"""The file in which a person reviews doubted labels, and what was confirmed in it, applied.

    Suspects -> rows of a CSV file, the column ``corrected`` empty -> a person -> examples corrected

A row is found again by its id or its line, and its text. What stands in ``corrected`` takes the
place of the label, or of the set of labels; of an entity, of all that is given in its characters.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bertft.contracts import Task
from bertft.errors import DataError
from bertft.loaders import Row
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.loaders.tagged import TaggedText
from bertft.settings import DataSettings
from bertft.spans import Entity, Span
from bertft.tasks.classification import Classification
from bertft.tasks.ner import Ner
from bertft.tasks.suspects import NOTHING, OUTSIDE, Suspect, refuse_others, touching
from bertft.words import counted

COLUMN = "corrected"
HINT = "it is the file of 'bertft check RECIPE --labels', with its column corrected filled in"


def review_rows(examples: Sequence[Any], suspects: Iterable[Suspect]) -> list[dict[str, Any]]:
    """What the file holds, a row for each suspect, all with the same columns."""
    rows = []
    for one in suspects:
        example = examples[one.example]
        row = {"id": example.id, "line": example.line, "text": example.text}
        if getattr(example, "pair", None) is not None:
            row["text_pair"] = example.pair
        if one.span is not None:
            start, end = one.span
            row |= {"start": start, "end": end, "entity": example.text[start:end]}
        row |= {"given": one.given, "suggested": one.suggested}
        row |= {"score": round(one.score, 4), "probability": round(one.probability, 4)}
        rows.append(row | {COLUMN: ""})
    return rows


def write_review(rows: Sequence[Mapping[str, Any]], out: str) -> None:
    """Write rows to a CSV file that is not there yet; a BOM tells spreadsheets that it is UTF-8.

    Raises:
        DataError: it is there, or cannot be written.
    """
    try:
        with Path(out).open("x", encoding="utf-8-sig", newline="") as file:
            columns = list(rows[0]) if rows else ["id", "line", "text", COLUMN]
            writer = csv.DictWriter(file, columns, quoting=csv.QUOTE_NONNUMERIC)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror})", path=out) from None


def check_free(out: str) -> None:
    """Raise DataError where the file is there: it may hold what somebody has reviewed."""
    if Path(out).exists():
        what = "exists already, and may hold what somebody has reviewed"
        raise DataError(what, path=out, hint="choose another --out, or move it away")


def apply_corrections(
    task: Task[Any], examples: Sequence[Any], path: str, *, tell: Callable[[str], None]
) -> list[Any]:
    """The examples with the labels that a review file has in ``corrected``; said, counted.

    Raises:
        RecipeError: the task has no labels.
        DataError: the file is none, or has a row that fits no example or names no known label.
    """
    refuse_others(task, "data.corrections")
    table = open_table(Source(path, data=DataSettings(), gold=False))
    if missing := [name for name in ("text", COLUMN) if name not in table.columns]:
        raise DataError(f"no column '{missing[0]}'", path=path, line=1, hint=HINT)
    corrected, places = list(examples), _places(examples)
    known = task.learn_labels(examples, path=path)
    done: dict[tuple[int, Span | None], str] = {}
    read = changed = 0
    for row in table:
        read += 1
        if not (name := str(row.fields.get(COLUMN) or "").strip()):
            continue
        span = _span(row, path) if isinstance(task, Ner) else None
        for place in _found(row, places, examples, path):
            if done.setdefault((place, span), name) != name:
                raise DataError("corrected twice, in two ways", path=path, line=row.line)
            before = corrected[place]
            corrected[place] = _corrected(known, before, name, span, where=(path, row.line))
            changed += corrected[place] != before
    kept = len(done) - changed
    told = f"{counted(changed, 'label')} corrected"
    told += f", {kept:,} confirmed as they are" if kept else ""
    tell(f"data.corrections: {told}; {counted(read, 'row')} in {path}")
    return corrected


Places = Mapping[str, Sequence[int]]


def _places(examples: Sequence[Any]) -> Places:
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(_key(example.text, getattr(example, "pair", None)), []).append(place)
    return places


def _key(text: object, pair: object) -> str:
    """Texts as they compare: a spreadsheet may write line ends in its own way."""
    return "\0".join(" ".join(str(one or "").split()) for one in (text, pair))


def _found(row: Row, places: Places, examples: Sequence[Any], path: str) -> list[int]:
    """The examples that a row is about: of its text, and of its id or line."""
    fields = row.fields
    same = places.get(_key(fields["text"], fields.get("text_pair")), ())
    id, line = str(fields.get("id") or ""), str(fields.get("line") or "")
    found = [place for place in same if id == examples[place].id]
    found = found or [place for place in same if line == str(examples[place].line)]
    if not found:
        name = f"id {id}" if id else f"line {line}"
        what = f"no training row has {name} and this text"
        if same:
            what += f" (it is that of line {examples[same[0]].line})"
        raise DataError(what, path=path, line=row.line, hint="empty its cell, or take the row out")
    return found


def _span(row: Row, path: str) -> Span:
    try:
        start, end = int(row.fields["start"]), int(row.fields["end"])
        if 0 <= start < end <= len(str(row.fields["text"])):
            return start, end
    except (KeyError, TypeError, ValueError):
        pass
    raise DataError("start and end are no characters of the text", path=path, line=row.line)


def _corrected(
    task: Task[Any], example: Any, name: str, span: Span | None, *, where: tuple[str, int]
) -> Any:
    """The example with another label. Raises DataError for a label that the task does not have."""
    if span is not None:
        after = _with_entity(example, span, name)
    else:
        assert isinstance(task, Classification)
        names: tuple[str, ...] = (name,)
        if task.options.multi_label:
            parts = () if name == NOTHING else name.split(task.options.label_separator)
            names = tuple(part for one in parts if (part := one.strip()))
        after = replace(example, gold=names)
    try:
        task.check([after], path=where[0])
    except DataError as error:
        raise DataError(error.reason, path=where[0], line=where[1], hint=error.hint) from None
    same = task.readings([example])[0].gold == task.readings([after])[0].gold
    return example if same else after


def _with_entity(example: TaggedText, span: Span, name: str) -> TaggedText:
    """The text with one entity, or none, in the place of all that share its characters."""
    given = example.entities or ()
    lost = touching(given, span)
    entities = [one for one in given if one not in lost]
    if name != OUTSIDE:
        entities.append(Entity(*span, name))
    return replace(example, entities=tuple(sorted(entities)))
