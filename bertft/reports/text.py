"""Text for a page: any text goes in; HTML that shows it and does nothing else comes out."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from bertft.terminal import printable


def clean(text: str, *, most: int = 300) -> str:
    """Escaped, without control characters, cut after ``most`` characters, which it says."""
    shown = html.escape(printable(text[:most]))
    return shown + (f"… ({len(text) - most:,} more characters)" if len(text) > most else "")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str = "") -> str:
    """A table of cells that are HTML already; without a header row where all names are empty."""
    head = "".join(f"<th>{name}</th>" for name in header) if any(header) else ""
    lines = "".join(f"<tr>{''.join(f'<td>{one}</td>' for one in row)}</tr>" for row in rows)
    top = f"<tr>{head}</tr>" if head else ""
    return f'<div class="wide"><table class="{kind}">{top}{lines}</table></div>'
