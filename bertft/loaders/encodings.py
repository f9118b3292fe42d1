"""Text encodings and gzip, as bytes stream by: names of codecs, what a file probably is."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from itertools import chain

from bertft.errors import DataError
from bertft.loaders.encoding_guess import guess

BLOCK = 2**18
SKIP = 'leave such rows out with --set data.on_bad_row="skip"'


def unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip members one after another, a bounded piece at a time. EOFError when cut off."""
    unzip = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        while chunk:
            if unzip.eof:
                unzip = zlib.decompressobj(wbits=31)
            yield unzip.decompress(chunk, BLOCK)
            chunk = unzip.unconsumed_tail or unzip.unused_data.lstrip(b"\0")
    if not unzip.eof:
        raise EOFError


def transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text in another encoding as UTF-8; what precedes a fault is delivered first."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for chunk in chain(filter(None, chunks), (b"",)):
        state = decoder.getstate()[1]
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            decoder.setstate((b"", state))
            yield decoder.decode(error.object[: error.start]).encode()
            raise
        yield text.encode()


def find_codec(encoding: str, *, path: str) -> tuple[str, str]:
    """The codec of single lines, and the one to transcode from where bytes do not show lines."""
    text = bytes(range(128)).decode("ascii")
    try:
        name = codecs.lookup(encoding).name.removesuffix("-sig")
        shows_lines = text.encode(name, "replace") == text.encode("ascii")
    except (LookupError, ValueError):
        hint = "use utf-8, cp949, euc-kr, utf-16, cp1252 or latin-1"
        raise DataError(f"unknown encoding '{encoding}'", path=path, hint=hint) from None
    return (name, "") if shows_lines else ("utf-8", name)


def encoding_hint(head: bytes, *, codec: str) -> str:
    """What a file probably is whose lines are not all text in ``codec``."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return 'try --set data.encoding="utf-16"'
    if head.startswith((b"PK\x03\x04", b"PAR1")):
        return "it is a zip, Excel or Parquet file: give it its suffix, or save it as CSV"
    if head.count(0) * 4 > len(head):
        end = "le" if head[1::2].count(0) > head[::2].count(0) else "be"
        return f'try --set data.encoding="utf-16-{end}"'
    foreign = [line for line in head.split(b"\n") if not line.isascii()]
    in_utf8 = ["\ufffd" not in line.decode("utf-8", "replace") for line in foreign]
    mostly_utf8 = sum(in_utf8) * 2 >= len(foreign) > 0
    if b"\0" in head or (mostly_utf8 and codec == "utf-8"):
        return f"fix the line, or {SKIP}"
    if mostly_utf8:
        return 'try --set data.encoding="utf-8"'
    text = head.decode("cp949", "replace")
    if "\ufffd" not in text[:-1] and any("가" <= character <= "힣" for character in text):
        return 'try --set data.encoding="cp949"'
    likely = guess(head)[1]
    if likely not in ("", "cp949", "cp1252"):
        return f'try --set data.encoding="{likely}", which is likely but not certain'
    return 'try --set data.encoding="cp1252" (Western European) or "latin-1"'
