"""Characters that are not what they seem.

In: a Split. Out: Findings about text that was decoded wrongly, that holds characters nobody sees,
that is composed differently from line to line, or that still has markup of a web page.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from html.entities import html5

from ftfy import fix_encoding
from ftfy.badness import is_bad

from bertft.checks.finding import Finding, Hits, Severity, Split, short

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Joiners stand between letters of some scripts and between emoji: only others are idle.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_LATIN = re.compile("[\u0080-\u00ff]{2,}")
_HANJA = re.compile("[\u4e00-\u9fff\uf900-\ufaff][\u2000-\uffff]+")
_HANGUL = re.compile("[가-힣]")
_ENTITY = re.compile(r"&\s?(#\d{2,7}|#x[0-9a-f]{2,6}|[a-z]\w{1,30})\s?;", re.I)
# What a careless cleaning leaves of &#39; and &quot;: the ampersand is gone, or a space.
_BARE = re.compile(r"(?<![&\w#;])(?:#\d{2,5}|#x[0-9A-Fa-f]{2,4}|quot|apos|nbsp|amp|lt|gt);")
_BARE_INSIDE = re.compile(r"(?<=\w)(?:#\d{2,5}|#x[0-9A-Fa-f]{2,4}|quot|apos|nbsp);")
_TAGS = "a|b|br|div|em|font|i|img|li|p|span|strong|table|td|tr|u|ul"
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.I)

Look = Callable[[str], str]
"""What is amiss with a text, to be shown; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of finding about characters."""

    severity: Severity
    code: str
    what: str
    fix: str
    look: Look


def text_findings(split: Split) -> list[Finding]:
    """Findings about the characters of all texts, by rows; equal texts are looked at once."""
    hits = [Hits() for _ in CHECKS]
    seen: dict[str, tuple[str, ...]] = {}
    for index, reading in enumerate(split.readings):
        for text in reading.texts:
            if text not in seen:
                faults = tuple(check.look(text) for check in CHECKS)
                seen[text] = faults if any(faults) else ()
        if told := [seen[text] for text in reading.texts if seen[text]]:
            for hit, faults in zip(hits, zip(*told, strict=True), strict=True):
                if fault := next(filter(None, faults), ""):
                    hit.add(split.place(index, fault))
    findings: list[Finding] = []
    for hit, check in zip(hits, CHECKS, strict=True):
        findings += hit.finding(
            check.severity,
            check.code,
            split=split.name,
            what=check.what,
            of=len(split.readings),
            fix=check.fix,
        )
    return findings


def repaired(text: str) -> str:
    """What text that was decoded wrongly should be; "" where it is as it should be.

    UTF-8 that was read as a Western encoding (ftfy finds it), CP949 that was, and UTF-8 that was
    read as CP949: Hangul that became accents, or Chinese.
    """
    if text.isascii():
        return ""
    if is_bad(text):
        fixed = fix_encoding(text)
        if fixed != text:
            return fixed
    if found := _LATIN.search(text):
        return _korean(found[0], read="latin-1", written="cp949")
    if found := _HANJA.search(text):
        return _korean(found[0], read="cp949", written="utf-8")
    return ""


def _korean(text: str, *, read: str, written: str) -> str:
    """The Hangul that a run of letters was before it was decoded wrongly; "" where it was none."""
    try:
        fixed = text.encode(read).decode(written, "replace")
    except UnicodeError:
        return ""
    hangul = len(_HANGUL.findall(fixed))
    return fixed if hangul >= 2 and hangul > 0.8 * len(fixed) else ""


def _wrong_encoding(text: str) -> str:
    fixed = repaired(text)
    return f"{_around(text, fixed)} should be {_around(fixed, text)}" if fixed else ""


def _around(text: str, other: str) -> str:
    """The part of a text where it begins to differ from another one."""
    at = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    return repr(text[max(0, at - 15) : at + 25])


def _replacement(text: str) -> str:
    return _shown(text, text.find("\ufffd"))


def _control(text: str) -> str:
    found = None if text.isascii() and text.isprintable() else _CONTROL.search(text)
    return _shown(text, found.start() if found else -1)


def _invisible(text: str) -> str:
    found = None if text.isascii() else _INVISIBLE.search(text)
    return _shown(text, found.start() if found else -1)


def _decomposed(text: str) -> str:
    return "" if unicodedata.is_normalized("NFC", text) else short(text)


def _markup(text: str) -> str:
    if "<" in text and (tag := _TAG.search(text)):
        return _excerpt(text, tag.start())
    if "&" in text:
        for found in _ENTITY.finditer(text):
            if found[1].startswith("#") or f"{found[1]};" in html5:
                return _excerpt(text, found.start())
    return ""


def _bare_entity(text: str) -> str:
    """``#39;`` and the like, of which the ampersand is lost."""
    if ";" not in text:
        return ""
    found = _BARE.search(text) or _BARE_INSIDE.search(text)
    if not found:
        return ""
    return f"{found[0]} is {html.unescape('&' + found[0])!r} in: {_excerpt(text, found.start())}"


def _wordless(text: str) -> str:
    return "" if any(map(str.isalnum, text)) else repr(short(text))


def _shown(text: str, at: int) -> str:
    """The character at a place by its number, and what stands around it; "" for place -1."""
    return "" if at < 0 else f"U+{ord(text[at]):04X} at character {at} of {_excerpt(text, at)}"


def _excerpt(text: str, at: int) -> str:
    return short(text[max(0, at - 20) : at + 40])


CHECKS = (
    Check(
        "warning",
        "wrong-encoding",
        "rows that were decoded wrongly",
        "read the file in its own encoding (--set data.encoding=...), or fix it with ftfy",
        _wrong_encoding,
    ),
    Check(
        "warning",
        "replacement-character",
        "rows with U+FFFD where a character was lost",
        "make the file again from its source, in UTF-8",
        _replacement,
    ),
    Check(
        "warning",
        "control-character",
        "rows with control characters",
        "remove them: no model has learned what they mean",
        _control,
    ),
    Check(
        "note",
        "invisible-character",
        "rows with characters that nobody sees (zero-width, soft hyphen, direction)",
        "remove them: they make equal texts differ",
        _invisible,
    ),
    Check(
        "note",
        "decomposed-text",
        "rows that are not composed (Unicode NFC)",
        "nothing: they are composed before the model reads them",
        _decomposed,
    ),
    Check(
        "warning",
        "bare-entity",
        "rows with HTML entities that lost their ampersand (#39; quot;)",
        "put the ampersand back and decode each text, in Python: "
        r"html.unescape(re.sub(r' ?(?<!&)(#\d+|\b(?:quot|amp|lt|gt));', r'&\1;', text))",
        _bare_entity,
    ),
    Check(
        "note",
        "markup",
        "rows with HTML tags or entities",
        "remove tags and write & < > as they are, if new texts will not have them either",
        _markup,
    ),
    Check(
        "note",
        "no-words",
        "rows with a text that has no letter and no digit",
        "leave them out, unless new texts are like that",
        _wordless,
    ),
)
