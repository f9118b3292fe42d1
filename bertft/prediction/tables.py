"""Answers as a table: the user's own comes back whole, with what was predicted in new columns.

In: answers, each with its row where it has one. Out: rows of cells, to csv, tsv or a workbook. All
columns of the user stay as they are and in their order; the new ones come behind them, under other
names where the user has a column of that name. What is no row of a table (a line of text, say) has
its id and its texts there instead. The last column holds the error of a row without an answer.
Probabilities have four digits; several labels are joined by "|", nested values are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from bertft.contracts import Answer
from bertft.prediction.predicted import Given
from bertft.terminal import Writable

Put = Callable[[Sequence[Any], Sequence[Any]], None]
"""Writes a row: the cells of the user, and those that are added."""
Tell = Callable[[str], None]
INPUTS = ("file", "id", "text", "text_pair", "premise", "hypothesis", "question")
"""Fields of an answer that say what was asked, where there is no row of a table that does."""
CERTAINTY = {"score": "probability", "similarity": "similarity", "entailment": "entailment"}
"""Field of an answer -> the column that says how certain its label is."""
REMARKS = ("out_of_scope", "out_of_scope_score", "withheld", "truncated", "uncertainty")
"""Fields of an answer that are columns as they are."""
ERROR = "error"
DIGITS = 4


class Write(Protocol):
    """Writes an answer with its row."""

    def __call__(self, answer: Answer, row: Given | None = None, /) -> None: ...


def silent(_text: str) -> None:
    """Tells nobody."""


class TableWriter:
    """Makes rows of answers. The columns are those of the first; errors before it wait for it."""

    def __init__(self, put: Put, tell: Tell) -> None:
        self._put, self._tell = put, tell
        self._own: tuple[str, ...] = ()
        self._names: dict[str, str] = {}  # what is added -> the name of its column
        self._begun = False
        self._whole = False  # whether the columns are those of the user's table
        self._waiting: list[tuple[Answer, Given | None]] = []
        self._lost: dict[str, int] = {}

    def __call__(self, answer: Answer, row: Given | None = None, /) -> None:
        if not self._begun and "error" in answer:
            self._waiting.append((answer, row))
            return
        if not self._begun:
            self._begin(answer, row)
        self._write(answer, row)

    def close(self) -> None:
        """Write what still waits, and tell what has no place in the table."""
        if self._waiting and not self._begun:
            self._begin(*self._waiting[0])
        for name, count in self._lost.items():
            self._tell(f"{count:,} rows have a value in '{name}', which is no column of the table")

    def _begin(self, answer: Answer, row: Given | None) -> None:
        self._begun, self._whole = True, row is not None
        self._own = row.columns if row else tuple(name for name in INPUTS if name in answer)
        added = [*(["file"] if row and "file" in answer else []), *predicted(answer), ERROR]
        self._names = free_names(added, taken=self._own)
        for name, free in self._names.items():
            if name != free:
                self._tell(f"there is a column '{name}' already: what is added is in '{free}'")
        self._put(self._own, list(self._names.values()))
        for one in self._waiting:
            self._write(*one)

    def _write(self, answer: Answer, row: Given | None) -> None:
        added = {**predicted(answer), "file": answer.get("file"), ERROR: answer.get("error")}
        own: Mapping[str, Any] = answer
        if self._whole and row is None and "error" in answer:  # the row could not be read
            own, added[ERROR] = {}, f"{answer['id']}: {answer['error']}"
        elif self._whole:
            own = row.fields if row else {one: answer[one] for one in INPUTS if one in answer}
            for name in [one for one in own if one not in self._own and one != "file"]:
                self._lost[name] = self._lost.get(name, 0) + 1
        cells = [own.get(name) for name in self._own]
        self._put(cells, [added.get(name) for name in self._names])


def free_names(names: Iterable[str], *, taken: Sequence[str]) -> dict[str, str]:
    """Each name, with a number where it is taken."""
    found: dict[str, str] = {}
    for name in names:
        free, number = name, 1
        while free in taken or free in found.values():
            number += 1
            free = f"{name}_{number}"
        found[name] = free
    return found


def predicted(answer: Answer) -> dict[str, Any]:
    """What an answer adds to a row, by the names of its columns."""
    if "error" in answer:
        return {}
    if "runs" in answer:
        return {
            f"{name}_{column}": value
            for name, one in answer["runs"].items()
            for column, value in predicted(one | {"text": answer["text"]}).items()
        }
    found: dict[str, Any] = {}
    if "entities" in answer:
        entities = [
            one | {"score": round(one["score"], DIGITS)} if "score" in one else one
            for one in answer["entities"]
        ]
        found = {"entities": entities, "predicted_tags": " ".join(word_tags(answer))}
    elif "value" in answer:
        found = {"predicted_score": float(answer["value"])}
    elif "question" in answer:
        given = bool(answer["answer"])
        found = {"predicted_answer": answer["answer"]}
        found |= {name: answer.get(name) if given else None for name in ("start", "end")}
        found["probability"] = answer.get("score")
    elif "labels" in answer:
        found = {"predicted_labels": joined(answer["labels"])}
    elif "label" in answer:
        found = {"predicted_label": answer["label"]}
        found |= {name: answer[key] for key, name in CERTAINTY.items() if key in answer}
        if "label_set" in answer:
            found["label_set"] = joined(answer["label_set"])
    return found | {name: answer[name] for name in REMARKS if name in answer}


def joined(labels: Sequence[str]) -> str | list[str]:
    """Labels in one cell; a list where "|" is in one of them."""
    return list(labels) if any("|" in label for label in labels) else "|".join(labels)


def word_tags(answer: Answer) -> Iterator[str]:
    """A BIO tag for each word, as white space parts the text: of the entity that begins in it, or
    goes on from the word before."""
    text, at = answer["text"], 0
    before: Any = None
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        inside = (e for e in answer["entities"] if e["start"] < at and e["end"] > start)
        entity = next(inside, None)
        tag = "O" if entity is None else f"{'I' if entity is before else 'B'}-{entity['label']}"
        yield tag
        before = entity


# --- text ---------------------------------------------------------------------------------------


@contextmanager
def comma_separated(file: Writable, tell: Tell = silent) -> Iterator[Write]:
    with _delimited(file, tell, delimiter=",") as write:
        yield write


@contextmanager
def tab_separated(file: Writable, tell: Tell = silent) -> Iterator[Write]:
    with _delimited(file, tell, delimiter="\t") as write:
        yield write


TEXT_TABLES = {"csv": comma_separated, "tsv": tab_separated}


@contextmanager
def _delimited(file: Writable, tell: Tell, *, delimiter: str) -> Iterator[Write]:
    def put(own: Sequence[Any], added: Sequence[Any]) -> None:
        texts = [*map(as_text, own), *map(_rounded, added)]
        file.write(delimiter.join(quoted(one, delimiter=delimiter) for one in texts) + "\n")

    writer = TableWriter(put, tell)
    yield writer
    writer.close()


def as_text(value: Any) -> str:
    """A cell of text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _rounded(value: Any) -> str:
    return f"{value:.{DIGITS}f}" if isinstance(value, float) else as_text(value)


def quoted(cell: str, *, delimiter: str) -> str:
    """RFC 4180; csv.writer before Python 3.13 leaves a lone CR outside quotes."""
    if not any(mark in cell for mark in (delimiter, '"', "\r", "\n")):
        return cell
    return '"' + cell.replace('"', '""') + '"'
