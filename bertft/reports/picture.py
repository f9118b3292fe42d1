"""Pictures in files: an SVG goes in; a file comes out, .svg as it is or .png drawn from it.

A PNG shows only characters that a font of this machine has; an SVG is drawn by whoever opens it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import resvg_py

from bertft.prediction.output import fresh_file
from bertft.terminal import printable
from bertft.watch import Watch

KINDS = (".svg", ".png")
FONTS = (
    "Noto Sans KR, Noto Sans CJK KR, Malgun Gothic, Apple SD Gothic Neo, NanumGothic, "
    "Arial, Helvetica, DejaVu Sans, Liberation Sans, sans-serif"
)
"""By name, because what draws PNG knows no family such as sans-serif on every machine. Those that
have both alphabets come first: it takes the first that is there, and others for what that lacks."""
ZOOM = 2
NOWHERE = "\U0010ffff"
"""No character: every font draws it as one that it does not have."""

UNSEEN = ("Cc", "Cf", "Mn", "Zl", "Zp", "Zs")
"""Categories of characters that leave no mark of their own."""


@contextmanager
def picture_output(out: str, *, overwrite: bool, watch: Watch) -> Iterator[Callable[[str], None]]:
    """A function that draws an SVG to ``out``, whose suffix is one of ``KINDS``.

    Characters that are not drawn for want of a font are told.

    Raises:
        BertftError: ``out`` exists, and ``overwrite`` is not set.
        DataError: it cannot be written.
    """
    with fresh_file(out, overwrite=overwrite) as partial:

        def draw(svg: str) -> None:
            svg = printable(svg)  # XML has no control characters
            if Path(out).suffix.lower() == ".svg":
                partial.write_text(svg, encoding="utf-8")
                return
            partial.write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=ZOOM)))
            if lost := without_font(html.unescape(re.sub(r"<[^>]*>", "", svg))):
                what = f"{len(lost)} characters have no font here and are not drawn: {lost[:20]}"
                watch.note(f"{what}; install a font that has them, or write .svg or .html")

        yield draw


def without_font(text: str) -> str:
    """The characters of a text, once each, that no font of this machine can draw."""
    empty = {_drawn(NOWHERE), _drawn(" ")}
    seen = sorted({one for one in text if unicodedata.category(one) not in UNSEEN})
    return "".join(one for one in seen if _drawn(one) in empty)


def _drawn(character: str) -> bytes:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" font-family="{FONTS}">'
        f'<text x="2" y="18">{html.escape(character)}</text></svg>'
    )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))
