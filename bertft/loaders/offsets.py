"""What the offsets of spans count: characters as Python does, or something else.

In: texts with spans as a file gives them. Out: spans in characters, and the Doubt that a whole file
counts otherwise. UNITS names what ``task.offsets`` may be.
"""

# ruff: noqa: SIM905 - a list of words reads best as one text

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bertft.loaders.source import Doubt
from bertft.spans import Span

Convert = Callable[[str, int, int], Span | None]
"""A span of a text in characters; None where the offsets cannot be meant so."""

PARTICLES = frozenset(
    (
        "은 는 이 가 을 를 에 의 와 과 도 로 만 나 랑 요 씨 님 들 에서 에게 에는 에도 에서는 "
        "에게는 으로 으로는 로는 이다 이며 이고 이나 이란 이라 이라는 라는 라고 이라고 까지 "
        "부터 보다 처럼 같은 하고 께서 한테 밖에 조차 마저 입니다 였다 이었다 이라며 으로부터 "
        "로부터 에서도 과의 와의 에서의 으로서 로서 들이 들은 들의 들을"
    ).split()
)
"""Korean endings that stick to a name without being part of it."""
FEWEST = 3
"""Spans that show what a file counts, at least."""

_HANGUL = re.compile(r"[가-힣]+")


def _utf16(text: str, start: int, end: int) -> Span | None:
    return _units(text.encode("utf-16-le"), 2 * start, 2 * end, "utf-16-le")


def _bytes(text: str, start: int, end: int) -> Span | None:
    return _units(text.encode(), start, end, "utf-8")


def _units(data: bytes, start: int, end: int, encoding: str) -> Span | None:
    if not 0 <= start <= end <= len(data):
        return None
    try:
        first = len(data[:start].decode(encoding))
        return first, first + len(data[start:end].decode(encoding))
    except UnicodeDecodeError:
        return None


UNITS: dict[str, tuple[str, Convert]] = {
    "characters": ("offsets count characters from 0", lambda text, start, end: (start, end)),
    "inclusive": ("the end is the last character, not the one behind it",
                  lambda text, start, end: (start, end + 1)),
    "from-1": ("offsets count from 1", lambda text, start, end: (start - 1, end - 1)),
    "from-1-inclusive": ("offsets count from 1, and the end is the last character",
                         lambda text, start, end: (start - 1, end)),
    "utf-16": ("offsets count UTF-16 units, two for an emoji, as JavaScript does", _utf16),
    "bytes": ("offsets count bytes of UTF-8, three for a syllable of Hangul", _bytes),
}  # fmt: skip
"""Name -> what it means, and how such a span becomes one of characters."""


def convert(text: str, start: int, end: int, *, unit: str) -> Span | None:
    """The span in characters; None where it lies outside its text, or inside a character."""
    found = UNITS[unit][1](text, start, end)
    return found if found and 0 <= found[0] < found[1] <= len(text) else None


def fits(text: str, span: Span | None, *, covered: str | None = None) -> bool:
    """Whether a span is what it should be: the text given with it, or else whole words."""
    if span is None:
        return False
    start, end = span
    if covered is not None:
        return text[start:end] == covered
    if text[start].isspace() or text[end - 1].isspace():
        return False
    if start and text[start - 1].isalnum() and text[start].isalnum():
        return False
    if end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum()):
        return True
    ending = _HANGUL.match(text, end)
    return bool(ending) and ending[0] in PARTICLES  # type: ignore[index]


def likely_units(text: str, start: int, end: int, *, covered: str | None = None) -> list[str]:
    """What else one pair of offsets may count: what fits so, and does not in characters."""
    if fits(text, convert(text, start, end, unit="characters"), covered=covered):
        return []
    names = [name for name in UNITS if name != "characters"]
    return [
        name
        for name in (names if covered is not None else ("utf-16", "bytes"))
        if fits(text, convert(text, start, end, unit=name), covered=covered)
    ]


def other_units(names: Sequence[str]) -> str:
    """A hint that names them and the setting; "" for none."""
    meant = " or ".join(UNITS[name][0] for name in names)
    given = " or ".join(f'task.offsets="{name}"' for name in names)
    return f"{meant}: --set {given}" if names else ""


@dataclass(slots=True)
class Evidence:
    """What the spans of a file show: for each unit how many it changes, and how many then fit."""

    spans: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    fitting: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    """Of those that a unit changes, how many fit in characters."""

    def add(self, text: str, start: int, end: int, covered: str | None = None) -> None:
        self.spans += 1
        plain = convert(text, start, end, unit="characters")
        good = fits(text, plain, covered=covered)
        for name in _candidates(text):
            other = convert(text, start, end, unit=name)
            if other != plain or other is None:
                self.changed[name] += 1
                self.before[name] += good
                self.fitting[name] += fits(text, other, covered=covered)

    def unit(self) -> str:
        """The unit in which nearly all spans fit that do not fit in characters; "" for none."""
        best, most = "", 0.0
        for name in ("utf-16", "bytes", "inclusive", "from-1", "from-1-inclusive"):
            count = max(1, self.changed[name])
            share, before = self.fitting[name] / count, self.before[name] / count
            few = FEWEST if name in ("utf-16", "bytes") else 2 * FEWEST
            if count >= few and share >= 0.75 and before <= 0.25 and self.fitting[name] > most:
                best, most = name, self.fitting[name]
        return best

    def doubts(self) -> list[Doubt]:
        """The warning that the file counts otherwise; none where it does not."""
        name = self.unit()
        if not name:
            return []
        hint = (
            f'--set task.offsets="{name}" reads them so; bertft check ner --train FILE --fix OUT '
        )
        hint += "writes a copy in characters"
        what = f"entities that fit their text only if {UNITS[name][0]}"
        return [Doubt("offsets", what, self.changed[name], self.spans, hint, name)]


def _candidates(text: str) -> Sequence[str]:
    """Units that can differ from characters in this text."""
    plain = ("inclusive", "from-1", "from-1-inclusive")
    if text.isascii():
        return plain
    return (*plain, "bytes") if max(text) <= "\uffff" else (*plain, "utf-16", "bytes")
