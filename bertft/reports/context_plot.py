"""The picture of ``bertft context``: a result goes in, an SVG or a page around it comes out.

One line per pair of sentences: the similarity of the word's vectors, layer by layer. No script, no
font and nothing else is loaded from anywhere.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from bertft.reports.picture import FONTS

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 90, 36, 44
PAGE = """<!doctype html>
<html><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #111; background: #fff; overflow-wrap: anywhere }}
svg {{ max-width: 100%; height: auto }}
mark {{ border-radius: .3rem; padding: .1rem .2rem; background: hsl(50 90% 80%) }}
</style></head><body>
<h1>{title}</h1>
{picture}
<ol>
{sentences}
</ol>
</body></html>
"""


def web_page(result: dict[str, Any]) -> str:
    """A self-contained page: the picture, and the sentences with the word marked."""
    sentences = "\n".join(f'<li dir="auto">{_marked(one)}</li>' for one in result["sentences"])
    title = html.escape(f"{result['word']} in context, {result['model']}")
    return PAGE.format(title=title, picture=svg(result), sentences=sentences)


def _marked(one: dict[str, Any]) -> str:
    text, start, end = one["text"], one["start"], one["end"]
    before, word, after = (
        html.escape(part) for part in (text[:start], text[start:end], text[end:])
    )
    return f"{before}<mark>{word}</mark>{after}"


def svg(result: dict[str, Any]) -> str:
    """The picture alone; layers run to the right, cosine similarity upwards."""
    lines = list(_lines(result))
    lowest = min(0.0, *(value for _, values in lines for value in values))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{FONTS}" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20">similarity of "{html.escape(result["word"])}", by layer</text>',
        *_axes(result["layers"], lowest),
    ]
    for number, (name, values) in enumerate(lines):
        colour = f"hsl({number * 137.5 % 360:.0f} 65% 40%)"  # the golden angle: far apart
        places = [
            (_across(place, len(values)), _down(value, lowest))
            for place, value in enumerate(values)
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        label = f"{name}: {values[-1]:.2f}"
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{label}</text>')
    return "\n".join([*parts, "</svg>"])


def _lines(result: dict[str, Any]) -> Iterator[tuple[str, list[float]]]:
    """(pair, similarity in each layer)."""
    count = len(result["sentences"])
    for a in range(count):
        for b in range(a + 1, count):
            yield f"{a + 1}, {b + 1}", [layer[a][b] for layer in result["similarity"]]


def _axes(layers: list[int], lowest: float) -> Iterator[str]:
    for value in (lowest, *(mark / 4 for mark in range(5) if mark / 4 > lowest + 0.05)):
        y = _down(value, lowest)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'
    for place, layer in enumerate(layers):
        x = _across(place, len(layers))
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{layer}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">layer (0: embeddings)</text>'


def _across(place: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, count - 1)


def _down(value: float, lowest: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value) / (1 - lowest)
