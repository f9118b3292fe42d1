"""Examples of files: bad rows refused or counted, never dropped.

``read_examples`` reads a file whole, for train and eval; the others serve all that read files.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from bertft.contracts import Task
from bertft.errors import DataError, did_you_mean
from bertft.loaders.source import BadRow, Source, refuse
from bertft.recipe import parse_recipe
from bertft.rows import picked, stored
from bertft.settings import DataSettings, Recipe
from bertft.watch import Watch
from bertft.words import counted


class SkippedRows:
    """A BadRow that leaves rows out, counts them and remembers the first fault."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def __call__(self, error: DataError) -> None:
        self.count += 1
        self.first = self.first or (error.message and str(error.args[0]))

    def said(self) -> list[str]:
        """The line that says so; none where every row could be used."""
        if not self.count:
            return []
        return [f"{counted(self.count, 'unusable row')} left out; the first: {self.first}"]

    def tell(self, watch: Watch) -> None:
        for line in self.said():
            watch.note(line)


def bad_row_rule(data: DataSettings) -> BadRow:
    """The BadRow that ``data.on_bad_row`` asks for."""
    return SkippedRows() if data.on_bad_row == "skip" else refuse


def input_settings(overrides: Iterable[str], *, on_bad_row: str = "") -> Recipe:
    """``data.`` and ``task.`` overrides of an input, checked like those of a recipe."""
    recipe = parse_recipe({"task": {"name": "any"}}, overrides=overrides, where="--set")
    if on_bad_row:
        data = recipe.data.model_copy(update={"on_bad_row": on_bad_row})
        recipe = recipe.model_copy(update={"data": data})
    return recipe


def tell_left_out(source: Source, *, watch: Watch) -> None:
    """Say how a source was read, once it is, and what of it has no answer."""
    for line in left_out(source):
        watch.note(line)


def left_out(source: Source) -> list[str]:
    """The lines of ``tell_left_out``."""
    said = _said(source)
    if blank := source.meter.blank():
        lines = f"{counted(blank, 'blank line')} {'has' if blank == 1 else 'have'} no answer"
        said.insert(0, f"{source.path}: {lines} (ids are line numbers)")
    return said


def _said(source: Source) -> list[str]:
    """What was guessed about a source, put right, and left out."""
    meter, path = source.meter, source.path
    return [
        *(f"{path}: {note}" for note in meter.notes),
        *(f"{path}: {count} {what}" for what, count in (meter.counts + meter.repaired).items()),
        *(f"warning: {path}: {doubt}" for doubt in (*meter.doubts, *meter.warnings)),
    ]


def read_examples(
    task: Task[Any], path: str, data: DataSettings, *, watch: Watch, group_column: str = ""
) -> Sequence[Any]:
    """All examples with gold; ``group_column`` says which of them belong together.

    Raises:
        DataError: the file is unusable or empty, or has no such column.
    """
    rule = bad_row_rule(data)
    source = Source(path, data=data, bad_row=rule)
    read = task.read(source)
    examples = stored(_grouped(read, source, group_column) if group_column else read)
    for line in _said(source):
        watch.note(line)
    if isinstance(rule, SkippedRows):
        rule.tell(watch)
    if not examples:
        raise DataError(
            "no usable rows", path=path, hint="the file needs rows; a table has a header above them"
        )
    return examples


def _grouped(examples: Iterable[Any], source: Source, column: str) -> Iterator[Any]:
    """Examples with what a column says they belong to; a row that leaves it empty stands alone."""
    meter, setting = source.meter, "data.group_column"
    for example in examples:
        row = meter.take_row()
        if row is None:
            hint = f"leave {setting} out, or give a table (CSV, JSONL, Parquet, a workbook)"
            raise DataError(f"no columns, and so none for {setting}", path=source.path, hint=hint)
        if column not in row.fields and column not in meter.columns:
            hint = did_you_mean(column, meter.columns)
            raise DataError(f"no column '{column}' for {setting}", path=source.path, hint=hint)
        value = row.fields.get(column)
        if value is None or not str(value).strip():
            meter.repaired[f"rows leave '{column}' empty: each stands alone"] += 1
            yield example
        else:
            yield replace(example, given_group=str(value).strip())


def hold_out(
    examples: Sequence[Any], *, share: float, seed: int
) -> tuple[Sequence[Any], Sequence[Any]]:
    """(train, dev): a random ``share`` is held out, at least one row; file order is kept.

    Examples of one group (questions on one passage, hypotheses of one premise) stay together, so
    that dev does not ask about what was learned.
    """
    count = max(1, round(len(examples) * share))
    sizes, group_of = array("q"), array("q")  # of each group; of each example
    known: dict[str, int] = {}
    for name in (example.group for example in examples):
        group = known.setdefault(name, len(sizes)) if name else len(sizes)
        if group == len(sizes):
            sizes.append(0)
        sizes[group] += 1
        group_of.append(group)
    if count >= len(examples) or len(sizes) < 2:
        raise DataError("too few rows to hold out a dev set", hint="give one with --dev")
    held, chosen = 0, bytearray(len(sizes))
    for group in random.Random(seed).sample(range(len(sizes)), len(sizes) - 1):
        if held >= count:
            break
        held += sizes[group]
        chosen[group] = 1
    train, dev = array("q"), array("q")
    for row, group in enumerate(group_of):
        (dev if chosen[group] else train).append(row)
    return picked(examples, train), picked(examples, dev)
