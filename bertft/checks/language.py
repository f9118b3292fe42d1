"""The language of texts, as far as it decides which encoder reads them: texts in, a name out."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LOOKED_AT = 2000
"""Texts that are looked at, spread over all of them."""
SOME = 0.05
"""Share of the texts from which on a script counts."""
MOST = 0.9
ENGLISH = 0.08
"""Share of these words, of all that are not digits, from which on a text is English."""

_ENGLISH = frozenset((
    "the", "and", "are", "to", "it", "this", "that", "with", "for", "not", "you", "my", "have",
    "they", "but", "was", "on", "at", "be", "as", "so",
))  # fmt: skip
SCRIPTS = frozenset((
    "latin", "hangul", "cjk", "hiragana", "katakana", "cyrillic", "greek", "arabic", "hebrew",
    "armenian", "georgian", "ethiopic", "thai", "lao", "khmer", "myanmar", "tibetan", "devanagari",
    "bengali", "gurmukhi", "gujarati", "tamil", "telugu", "kannada", "malayalam", "sinhala",
))  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_FEW = 20
"""Words that tell nothing about a language."""


def language_of(texts: Sequence[str]) -> str:
    """``ko``, ``en``, ``ko+en`` (both, in one file), or ``other``."""
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    scripts = Counter(script_of(text) for text in some)
    known = sum(scripts.values()) - scripts[""]
    if not known or known - scripts["latin"] - scripts["hangul"] > SOME * known:
        return "other" if known else "en"
    korean = scripts["hangul"] / known
    latin = [text for text in some if script_of(text) == "latin"]
    if korean >= MOST:
        return "ko"
    if not _is_english(latin):
        return "other"
    return "ko+en" if korean > SOME else "en"


def script_of(text: str) -> str:
    """What most letters of a text are, one of ``SCRIPTS``, ``other`` or "" without letters. Any
    fifth of Hangul makes it Korean, for names and loan words are often written in Latin letters."""
    if text.isascii():  # most are: no look at each letter's name
        return "latin" if any(map(str.isalpha, text)) else ""
    kinds = Counter(letter_script(character) for character in text if character.isalpha())
    if not kinds:
        return ""
    if kinds["hangul"] >= 0.2 * kinds.total():
        return "hangul"
    return max(kinds, key=lambda kind: kinds[kind])


def letter_script(letter: str) -> str:
    """The script of a letter, by its name in Unicode: one of ``SCRIPTS``, or ``other``."""
    if letter.isascii():
        return "latin"
    first = unicodedata.name(letter, "").removeprefix("FULLWIDTH ").split(" ")[0].casefold()
    return first if first in SCRIPTS else "other"


def _is_english(texts: Sequence[str]) -> bool:
    words = [word for text in texts for word in _WORD.findall(text.casefold())]
    return len(words) < _FEW or sum(word in _ENGLISH for word in words) >= ENGLISH * len(words)
