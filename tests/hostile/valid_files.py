"""Random files that are as they should be: a task and a random generator in, a Sample out.

What varies is what people's files vary in: the format, the encoding, the names and the order of
columns, ids, labels, what the texts hold, and, in files to be answered, cells without text.
"""

# ruff: noqa: SIM905 - word lists read best as one text

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

Row = dict[str, Any]

WORDS = (
    "the a film food plot was is never very good bad dull great love hate I don't we're "
    "it's café naïve 영화 정말 좋다 나쁘다 최고 음식 맛이 없다 N/A null None nan true 12 "
    "3.5 1,000 #tag @you :) 😀 http://a.b/c?d=e&f C++ A/B x=y 50% $5 «quote» “film” ‘s' "
    "\"so\" 'no' (yes) [sic] {x} & <b> … — e\u0301 שלום مرحبا 你好 日本 Ünïcode"
).split()
LABELS = (
    ["pos", "neg"], ["good", "bad", "so-so"], ["긍정", "부정"], ["0", "1"], [0, 1], [1, 2, 3],
    ["Yes", "No"], [True, False], ["A B", "C, D"], ["NA", "None"], ["sport", "tech", "art", "law"],
    [1.0, 2.0],
)  # fmt: skip
TYPES = (["PER", "LOC"], ["PER", "ORG", "DATE"], ["인물", "장소"], ["Disease"], ["per-son", "x_y"])


@dataclass
class Sample:
    """Files to train on and to answer; ``told`` describes them in a line.

    ``texts`` are those of the rows to be answered, None for a row without text.
    """

    recipe: str
    settings: list[str]
    train: Path
    dev: Path
    ask: Path
    rows: dict[str, int]
    texts: list[str | None]
    told: str
    reading: list[str] = field(default_factory=list)
    """Settings that say how the files are written."""


@dataclass(frozen=True)
class Form:
    """How a table is written."""

    kind: str
    encoding: str = "utf-8"
    delimiter: str = ""
    indent: int | None = None
    zipped: bool = False

    @property
    def suffix(self) -> str:
        return f".{self.kind}" + ".gz" * self.zipped

    @property
    def settings(self) -> list[str]:
        found = [f'data.encoding="{self.encoding}"'] if self.encoding[:5] not in ("utf-8",) else []
        return found + ([f'data.delimiter="{self.delimiter}"'] if self.delimiter else [])

    @property
    def is_typed(self) -> bool:
        """Whether cells are more than text."""
        return self.kind in ("jsonl", "json", "parquet")


def random_form(random: Random, *kinds: str) -> Form:
    kind = random.choice(kinds)
    if kind == "parquet":
        return Form(kind)
    encoding = random.choice(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"])
    delimiter = random.choice(["", "", ";", "|"]) if kind == "csv" else ""
    indent = random.choice([None, None, 0, 2]) if kind == "json" else None
    return Form(kind, encoding, delimiter, indent, random.random() < 0.1)


def write(path: Path, form: Form, rows: list[Row]) -> Path:
    """The rows as a file of a form."""
    if form.kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if form.kind in ("csv", "tsv"):
        text = _delimited(rows, form)
    elif form.kind == "jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        text = json.dumps(rows, ensure_ascii=False, indent=form.indent)
    data = text.encode(form.encoding)
    path.write_bytes(gzip.compress(data) if form.zipped else data)
    return path


def _delimited(rows: list[Row], form: Form) -> str:
    file = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    delimiter = form.delimiter or ("," if form.kind == "csv" else "\t")
    if form.kind == "tsv":
        lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
        return "".join(delimiter.join(cells) + "\n" for cells in lines)
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def random_text(random: Random, *, lines: bool, most: int = 14) -> str:
    """Words of people: never empty, with line ends only where the form keeps them."""
    words = random.choices(WORDS, k=random.choice([1, 2, 5, random.randint(3, most)]))
    text = " ".join(words)
    if lines and random.random() < 0.15:
        text = text.replace(" ", random.choice(["\n", "\r\n", "\t", "  "]), 1)
    if random.random() < 0.1:
        text = f" {text} "
    return text if any(map(str.isalnum, text)) else f"{text} film"


def with_ids(random: Random, rows: list[Row]) -> list[Row]:
    """Rows with ids in one of the ways that ids are given, or without."""
    style = random.choice(["none", "none", "count", "word", "zero", "repeat", "gap"])
    name = random.choice(["id", "guid", "ID", "idx", "uid", "sentence_id", "question_id"])
    if style == "none":
        return rows
    made: dict[str, Callable[[int], Any]] = {
        "count": lambda i: i + 100,
        "word": lambda i: f"row-{i}",
        "zero": lambda i: f"{i:05}",
        "repeat": lambda i: i // 2,
        "gap": lambda i: None if i % 3 == 1 else f"r{i}",
    }
    name = "sentence_id" if style == "repeat" else name
    return [{name: made[style](i), **row} for i, row in enumerate(rows)]


def shuffled(random: Random, rows: list[Row]) -> list[Row]:
    """The columns in another order, perhaps one more that means nothing."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    random.shuffle(names)
    extra = random.choice(["", "source", "메모", "Unnamed: 0", "split"])
    made = [{name: row.get(name) for name in names} for row in rows]
    return [row | {extra: f"x{i}"} for i, row in enumerate(made)] if extra else made


def without_text(random: Random, rows: list[Row], name: str, form: Form) -> list[Row]:
    """Rows to be answered: some cells are empty, as in people's files."""
    empty = ["", " "] + [None] * form.is_typed
    if form.kind == "tsv" and len(rows[0]) == 1:
        empty = [" "]  # else the line is blank
    return [row | {name: random.choice(empty)} if random.random() < 0.15 else row for row in rows]
