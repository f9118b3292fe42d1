"""The picture of ``bertft explain``: results go in, an SVG of bars comes out.

A panel for each explanation, with a bar for each word in its order: to the right what speaks for
the answer, to the left what speaks against it. A result without explanations shows what the first
token's state is made of (attention rollout). Nothing is loaded from anywhere.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from bertft.errors import BertftError
from bertft.reports.picture import FONTS

WIDTH, ROW, GAP = 640, 19, 18
LABELS, VALUES = 170, 70
"""Widths of what stands left and right of the bars."""
ROWS = 60
"""Bars of a panel; of more words the strongest are shown."""
PANELS = 20
FOR, AGAINST, LOOK = "#1e6edc", "#e16e14", "#148c6e"

Panel = list[str]
"""Lines of a height of ROW."""


def picture(results: list[dict[str, Any]]) -> str:
    """One SVG of all panels, from top to bottom.

    Raises:
        BertftError: there are more panels than ``PANELS``.
    """
    panels = [panel for result in results for panel in _panels(result)]
    if len(panels) > PANELS:
        reason = f"{len(panels)} explanations are too many for a picture, which holds {PANELS}"
        raise BertftError(reason, hint="write --out explained.html, or explain fewer texts")
    y = GAP
    body = []
    for panel in panels:
        body.append(f'<g transform="translate(0 {y})">{"".join(panel)}</g>')
        y += GAP + ROW * len(panel)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
            f'height="{y}" font-family="{FONTS}" font-size="12" fill="#14171a">',
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>',
            *body,
            "</svg>",
        ]
    )


def _panels(result: Mapping[str, Any]) -> Iterator[Panel]:
    parts = result["parts"]
    for one in result["explanations"]:
        test = one["faithfulness"]
        falls = (
            f"score falls by {test['top']:.3f} without the top {test['deleted']}, by "
            f"{test['random']:.3f} without {test['deleted']} random words"
        )
        words = [
            (word["part"], parts[word["part"]][word["start"] : word["end"]], word["attribution"])
            for word in one["words"]
        ]
        yield _panel(f"{result['id']}: {one['target']}", falls, words, colours=(FOR, AGAINST))
    if not result["explanations"]:
        shares = zip(result["tokens"], result["rollout"], strict=True)
        tokens = [("text", token, share) for token, share in shares]
        said = "what the first token's state is made of, by attention rollout"
        yield _panel(
            f"{result['id']}: {' / '.join(parts.values())}", said, tokens, colours=(LOOK, LOOK)
        )


def _panel(
    title: str, said: str, bars: list[tuple[str, str, float]], *, colours: tuple[str, str]
) -> Panel:
    """Title, what is said of it, and a line for each bar: (part of the example, word, value)."""
    kept = sorted(sorted(range(len(bars)), key=lambda i: -abs(bars[i][2]))[:ROWS])
    if len(kept) < len(bars):
        said += f"; {len(bars) - len(kept)} weaker ones are left out"
    panel = [_text(10, 0, _short(title, 90), 'font-weight="bold"'), _text(10, 1, _short(said, 110))]
    values = [bars[i][2] for i in kept]
    low, high = min([0.0, *values]), max([0.0, *values])
    scale = (WIDTH - LABELS - VALUES) / ((high - low) or 1.0)
    part = "text"
    for i in kept:
        if bars[i][0] != part:
            part = bars[i][0]
            panel.append(_text(10, len(panel), part, 'font-style="italic"'))
        word, value = bars[i][1:]
        zero = LABELS - low * scale
        panel.append(_bar(len(panel), word, value, zero=zero, scale=scale, colours=colours))
    return panel


def _bar(
    row: int, word: str, value: float, *, zero: float, scale: float, colours: tuple[str, str]
) -> str:
    left = zero + min(0.0, value) * scale
    colour = colours[0] if value >= 0 else colours[1]
    return (
        _text(LABELS - 8, row, _short(word, 24), 'text-anchor="end"')
        + f'<rect x="{left:.1f}" y="{row * ROW - 4}" width="{abs(value) * scale:.1f}" '
        f'height="{ROW - 5}" fill="{colour}"/>'
        + f'<path d="M{zero:.1f} {row * ROW - 6}v{ROW}" stroke="#c9ced4"/>'
        + _text(WIDTH - 10, row, f"{value:.3f}", 'text-anchor="end"')
    )


def _text(x: float, row: int, text: str, more: str = "") -> str:
    return f'<text x="{x}" y="{row * ROW + 8}" {more}>{html.escape(text)}</text>'


def _short(text: str, most: int) -> str:
    """Printable, on one line, and cut where it is long."""
    line = "".join(one if one.isprintable() else " " for one in text)
    return line if len(line) <= most else line[: most - 1] + "…"
