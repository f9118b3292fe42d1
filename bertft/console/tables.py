"""Text and tables for a terminal: what data hold cannot move the cursor or pass for markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from bertft.terminal import printable


def safe(text: str) -> str:
    """Text for the terminal: what data hold cannot move the cursor or pass for markup."""
    return escape(printable(" ".join(text.splitlines())))


def short(label: str) -> str:
    return label if len(label) <= 60 else label[:57] + "..."


def table_of(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(box=None, pad_edge=False)
    cells = [[str(cell) for cell in row] for row in rows]
    for index, heading in enumerate(headings):
        numbers = all(row[index].replace(".", "").replace(",", "").isdigit() for row in cells)
        table.add_column(safe(heading), justify="right" if numbers else "left")
    for row in cells:
        table.add_row(*(safe(cell) for cell in row))
    return table
