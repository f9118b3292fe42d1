"""The encoding of a file that does not say it: bytes of its start in, a name out, "" where unsure.

UTF-8 is what a file is in until its bytes contradict. Then charset-normalizer names what is likely,
and the text has to look as text of such an encoding does: it is used, and said, or not used.
"""

from __future__ import annotations

import codecs
import unicodedata

AUTO = "auto"
SAMPLE = 2**16
"""Bytes of the start of a file that are looked at."""
FEWEST = 4
"""Syllables of Hangul that show that bytes are Korean, rather than anything else of two bytes."""

_LIKELY = ["cp949", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256",
           "shift_jis", "euc_jp", "gb18030", "big5", "koi8_r"]  # fmt: skip
_ACCENTS = {*"àáâãäåæçèéêëìíîïñòóôõöøùúûüœß", "ss"}
_SIGNS = set("“”„‘’‚«»–—…•·€£§©®™°º¡¿´×½¼²\xa0")
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def is_utf8(start: bytes) -> bool:
    """Whether bytes are the start of a plain UTF-8 text."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return 0 not in start


def guess(start: bytes) -> tuple[str, str]:
    """The encoding of a text that begins with ``start``, and what else it may be in.

    The first is "" where that is not certain, the second "" where nothing is likely.
    """
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name, ""
    if 0 in start:
        fitting = [name for name in ("utf-16-le", "utf-16-be") if _is_utf16(start, name)]
        return (fitting[0] if len(fitting) == 1 else ""), ""
    lines = [line for line in start.split(b"\n") if not line.isascii()]
    foreign = [line for line in lines if not is_utf8(line)]
    if 2 * len(foreign) <= len(lines):
        return "", ""  # UTF-8 with damaged lines
    sample = b"\n".join(foreign)
    if _is_korean(sample):
        return "cp949", ""
    names = _likely(sample)
    if "cp1252" in names and _is_western(sample):
        return "cp1252", ""
    return "", next(iter(names), "")


def _is_utf16(start: bytes, name: str) -> bool:
    """Whether bytes are text of lines: read the wrong way round, a line end is no character.

    Plain text with a few NUL read so gives signs of which both bytes are letters of ASCII.
    """
    try:
        text = codecs.getincrementaldecoder(name)().decode(start)
    except UnicodeDecodeError:
        return False
    kinds = {unicodedata.category(character) for character in text if character not in "\r\n\t"}
    pairs = sum(all(32 < byte < 127 for byte in divmod(ord(character), 256)) for character in text)
    return "\n" in text and 10 * pairs <= len(text) and not kinds & {"Cc", "Cn", "Co", "Cs"}


def _is_korean(sample: bytes) -> bool:
    """Whether letters are Hangul throughout, of the 2,350 syllables that are in use (KS X 1001).

    Chinese and Japanese bytes read as CP949 give Hanja and rare syllables among them, and single
    jamo of many kinds, where Korean has a few (laughter, tears).
    """
    text = codecs.getincrementaldecoder("cp949")("replace").decode(sample)
    letters = [c for c in text if not c.isascii() and (c.isalpha() or c == "\ufffd")]
    jamo = [c for c in letters if "ㄱ" <= c <= "ㆎ"]
    common = sum("가" <= c <= "힣" and len(_encoded(c)) == 2 for c in letters)
    fits = common >= 0.95 * (len(letters) - len(jamo)) and 2 * len(set(jamo)) <= max(8, common)
    return common >= FEWEST and fits


def _encoded(character: str) -> bytes:
    return character.encode("euc_kr", "ignore")


def _likely(sample: bytes) -> list[str]:
    """Encodings in which a sample reads as text, the likeliest first."""
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=_LIKELY)
    # Encodings that give the same text are one match: cp1252 may stand behind another name.
    names = [name for one in matches for name in (one.encoding, *one.could_be_from_charset)]
    return list(dict.fromkeys(names))


def _is_western(sample: bytes) -> bool:
    """Whether what is beyond ASCII are accents of Western languages, a few among many letters.

    Central European and Turkish bytes read as CP1252 give other signs, Cyrillic and Greek too many.
    """
    text = sample.decode("cp1252", "replace")
    letters = [c for word in text.split() if not word.isascii() for c in word if c.isalpha()]
    beyond = [c for c in text if not c.isascii()]
    accents = [c for c in beyond if c.casefold() in _ACCENTS]
    return set(beyond) <= {*accents, *_SIGNS} and 2 * len(accents) <= max(1, len(letters))
