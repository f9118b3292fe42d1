"""Where an answer stands in its passage, and how its offset or its text went wrong.

In: a passage, an answer and the offset that a file gives. Out: places, in characters.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator


def explain(context: str, text: str, start: int) -> tuple[int | None, str]:
    """Where an answer is (None: no telling), and how its offset or its text went wrong.

    The place is certain where the offset was counted in bytes, UTF-16 units or over composed text,
    or where the text occurs only once.
    """
    places = places_of(context, text)
    for unit, place in _recounted(context, places, start):
        if place in places:
            return place, f"answer_start counts {unit}: in characters it is {place}"
    if places:
        near = min(places, key=lambda place: abs(place - start))
        side = "later" if near > start else "earlier"
        reason = f"the text is found {abs(near - start)} characters {side}, at {near}"
        return (near if len(places) == 1 else None), reason
    if unicodedata.normalize("NFC", text) in unicodedata.normalize("NFC", context):
        return None, "context and answer are composed differently (Unicode NFC, NFD): write one way"
    if text in html.unescape(context):
        what = "the context holds HTML entities (&amp; and the like)"
        return None, f"{what}: write them as characters, and count answer_start anew"
    if " ".join(text.casefold().split()) in " ".join(context.casefold().split()):
        return None, "the text occurs with other capitals or spaces only"
    return None, "the text does not occur in the context"


def _recounted(context: str, places: list[int], start: int) -> Iterator[tuple[str, int | None]]:
    """Units in which ``start`` may have been counted, each with the place in characters."""
    yield "UTF-8 bytes", _characters(context.encode(), start, "utf-8")
    yield "UTF-16 units", _characters(context.encode("utf-16-le"), 2 * start, "utf-16-le")
    for place in places[:100]:
        if len(unicodedata.normalize("NFC", context[:place])) == start:
            yield "composed characters (Unicode NFC)", place


def _characters(data: bytes, length: int, encoding: str) -> int | None:
    """Characters in the first ``length`` bytes; None where they end inside one, or the data end."""
    try:
        return len(data[:length].decode(encoding)) if 0 <= length <= len(data) else None
    except UnicodeDecodeError:
        return None


def places_of(context: str, text: str) -> list[int]:
    places = []
    place = context.find(text)
    while place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    return places
