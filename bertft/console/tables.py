"""Text and tables for a terminal: what data hold cannot move the cursor or pass for markup.

A table that does not fit becomes a list: what has to be typed is never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bertft.terminal import printable

TEXT = 24
"""Columns of a terminal in which a text can be read, line below line."""
GAP = 1


def safe(text: str) -> str:
    """Text for the terminal: what data hold cannot move the cursor or pass for markup."""
    return escape(printable(" ".join(text.splitlines())))


def short(label: str) -> str:
    return label if len(label) <= 60 else label[:57] + "..."


def shown(value: object) -> str:
    """A cell; numbers with four digits after the point."""
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)


def laid_out(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, width: int
) -> RenderableType:
    """A table where ``width`` columns have room for it, else a list."""
    cells = [[shown(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, GAP))
    needed = 2 * GAP * (len(headings) - 1)  # on both sides of each border
    for index, heading in enumerate(headings):
        column = [row[index] for row in cells]
        numbers = all(map(_is_number, column)) and any(column)
        widest = max(map(cell_len, (heading, *column)))
        wraps = any(" " in cell for cell in column) and widest > TEXT
        needed += TEXT if wraps else widest
        table.add_column(
            safe(heading),
            justify="right" if numbers else "left",
            no_wrap=not wraps,
            min_width=TEXT if wraps else widest,
            overflow="fold",
        )
    if needed > width:
        return _list(headings, cells)
    for row in cells:
        table.add_row(*map(safe, row))
    return table


def fact_table(facts: Mapping[str, str]) -> Table:
    """Names and values, long values continued below themselves."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(safe(name), safe(value))
    return table


def _list(headings: Sequence[str], cells: Iterable[Sequence[str]]) -> RenderableType:
    """Each row as its first cell, and below it the others with their headings."""
    parts: list[RenderableType] = []
    for first, *rest in cells:
        parts.append(f"[bold]{safe(first)}[/bold]")
        facts = zip(headings[1:], rest, strict=True)
        text = " · ".join(
            f"[dim]{safe(name)}[/dim]\u00a0{safe(cell)}" for name, cell in facts if cell
        )
        parts.append(Padding(text, (0, 0, 0, 2)))
    return Group(*parts)


def _is_number(cell: str) -> bool:
    return not cell or cell.lstrip("+-").replace(".", "").replace(",", "").isdigit()
