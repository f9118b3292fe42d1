"""One door to every row source: tables, plain text and the Hub, by the source's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from bertft.errors import DataError, did_you_mean
from bertft.loaders import Table
from bertft.loaders.column_names import named
from bertft.loaders.files import STDIN, resolve
from bertft.loaders.source import Source
from bertft.loaders.tables import open_table
from bertft.loaders.text import read_lines
from bertft.recipe import HUB


def read_rows(source: Source) -> Table:
    """Rows in file order, with their columns; plain text has the one column ``text``."""
    if is_plain_text(source):
        if source.path != STDIN:
            resolve(source.path)
        if source.gold:
            hint = "train and eval need CSV, TSV, JSONL or Parquet with a label column"
            raise DataError("plain text has no labels", path=source.path, hint=hint)
        lines = read_lines(source)
        source.meter.fraction = lines.fraction
        source.meter.blank = lambda: lines.blank
        return Table(path=lines.path, columns=("text",), rows=lines, fraction=lines.fraction)
    table = open_table(source, format=source.format or None)
    source.meter.fraction = table.fraction
    return table


def is_plain_text(source: Source) -> bool:
    """Whether a source is text without columns, by its format or its name."""
    if source.format:
        return source.format == "txt"
    if source.path.startswith(HUB):
        return False
    name = PurePath(source.path.removesuffix(".gz"))
    return source.path == STDIN or name.suffix.lower() in {"", ".txt", ".md", ".text"}


def pick_column(
    found: Sequence[str],
    wanted: str,
    usual: Sequence[str],
    *,
    what: str,
    path: str,
    taken: Sequence[str | None] = (),
) -> str:
    """The column ``wanted``, else the first of ``usual`` that is there (as names are compared).

    Columns that are ``taken`` for something else do not count. ``wanted`` may reach into an object
    of JSON (``labels.score``): then its first part has to be there.

    Raises:
        DataError: there is none; the message lists the columns that are there.
    """
    free = [name for name in found if name not in taken]
    if wanted:
        if wanted in free or wanted.partition(".")[0] in free:
            return wanted
        hint = did_you_mean(wanted, free) if free else "there is no other column"
        raise DataError(f"no column '{wanted}' for the {what}", path=path, line=1, hint=hint)
    if there := named(free, usual):
        return there[0]
    listed = ", ".join(found[:12]) or "none"
    hint = f"name it with --set task.{what}_column=NAME; columns here: {listed}"
    raise DataError(
        f"no column for the {what} ({', '.join(usual[:4])}, ...)", path=path, line=1, hint=hint
    )
