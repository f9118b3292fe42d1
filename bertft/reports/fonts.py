"""Which fonts draw a text: the text goes in; installed families that have its characters come out.

matplotlib draws a character with the first family of a list that has it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache

PREFERRED = (
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "Noto Sans CJK JP",
    "Arial",
    "Helvetica",
    "DejaVu Sans",
)
"""Those that have both alphabets come first; the last one comes with matplotlib."""
UNSEEN = ("Cc", "Cf", "Mn", "Zl", "Zp", "Zs")
"""Categories of characters that leave no mark of their own."""
NOT_DRAWN = ("Last Resort", "Emoji")
"""In the names of fonts that only have boxes, or pictures that matplotlib cannot draw."""


def families(text: str, *, first: str = "") -> tuple[list[str], str]:
    """Families that draw a text, ``first`` before all others, and the characters that none has."""
    left = {one for one in text if unicodedata.category(one) not in UNSEEN}
    found: list[str] = []
    for name in _in_order(first):
        has = {one for one in left if _has(name, one)}
        if has or not found:
            found.append(name)
            left -= has
        if not left:
            break
    return found, "".join(sorted(left))


def _in_order(first: str) -> Iterator[str]:
    from matplotlib import font_manager

    there = sorted({font.name for font in font_manager.fontManager.ttflist})
    wanted = [name for name in (first, *PREFERRED) if name in there]
    yield from wanted
    for name in there:
        if name not in wanted and not any(one in name for one in NOT_DRAWN):
            yield name


@cache
def _has(name: str, character: str) -> bool:
    from matplotlib import font_manager

    path = font_manager.findfont(font_manager.FontProperties(family=name))
    return bool(font_manager.get_font(path).get_char_index(ord(character)))
