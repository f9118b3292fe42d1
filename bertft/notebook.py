"""A table as a notebook shows it: headings and rows in, HTML out, in which data are only text.

``Marked`` is HTML already, of text parts that were escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

ROWS = 100
"""Rows that are shown; what is left is counted below them."""
CELL = "text-align:left;vertical-align:top;white-space:pre-wrap"


class Marked(str):
    """A cell that is HTML."""

    __slots__ = ()


def html_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    notes: Iterable[str] = (),
) -> str:
    """A table, a line above it and lines below it."""
    parts = [f"<p><b>{escape(title)}</b></p>"] if title else []
    if rows:
        head = "".join(f'<th style="{CELL}">{escape(one)}</th>' for one in headings)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:ROWS])
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    more = [f"and {len(rows) - ROWS:,} more"] if len(rows) > ROWS else []
    parts += [f"<p>{escape(one)}</p>" for one in (*more, *notes)]
    return "\n".join(parts)


def marked(text: str, label: str) -> Marked:
    """A part of a text that is lit up, and what it is called."""
    name = f" <small><b>{escape(label)}</b></small>" if label else ""
    return Marked(f"<mark>{escape(text)}{name}</mark>")


def joined(parts: Iterable[str]) -> Marked:
    """Text and marked parts as one cell."""
    return Marked("".join(one if isinstance(one, Marked) else escape(one) for one in parts))


def _cell(text: str) -> str:
    return f'<td style="{CELL}">{text if isinstance(text, Marked) else escape(text)}</td>'
