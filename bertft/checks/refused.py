"""Rows that loaders refuse: all of them are collected, none ends the check.

In: DataErrors, by the ``code`` that the loader gave them. Out: a Finding for each code.
"""

from __future__ import annotations

import re

from bertft.checks.finding import Finding, Hits, Place, Severity
from bertft.errors import DataError

SKIP = "mend them, or leave them out with --on-bad-row skip"
KINDS = {
    "encoding": ("lines that are not text in the file's encoding", ""),
    "nul-character": ("lines with a NUL character", ""),
    "empty-text": ("rows without text", SKIP),
    "missing-label": ("rows without a label", SKIP),
    "misplaced-answer": (
        "answers that are not at their answer_start, though their place is certain",
        "bertft check ... --fix OUT writes a copy with the right places",
    ),
    "ambiguous-answer": (
        "answers that are not at their answer_start, and occur several times",
        SKIP,
    ),
    "answer-not-found": ("answers that are not in their passage", SKIP),
    "duplicate-id": ("questions whose id another one has", "give each question an id of its own"),
    "shifted-offsets": ("entities whose offsets count something else than characters", ""),
    "broken-tag": ("words whose tag is none", SKIP),
    "unknown-label": ("labels that training does not know", ""),
    "unreadable": ("file that cannot be read", ""),
}
"""code -> what it is, and how to mend it; "" for what the loader said of the first."""
OTHER = "unusable-row"


class Refused:
    """A BadRow that collects every error by its code, and lets the reading go on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._hits: dict[str, Hits] = {}
        self._hints: dict[str, str] = {}
        self.count = 0

    def __call__(self, error: DataError) -> None:
        self.count += 1
        code = error.code or OTHER
        said = error.reason + (f"; {error.hint}" if "answer" in code else "")
        self._hits.setdefault(code, Hits()).add(Place(error.path or self._path, error.line, said))
        self._hints.setdefault(code, error.hint)

    def findings(self, *, severity: Severity, split: str, read: int) -> list[Finding]:
        """A Finding for each code; ``read`` is the number of rows that could be used."""
        found: list[Finding] = []
        for code, hits in self._hits.items():
            what, mend = KINDS.get(code, ("rows that cannot be used", ""))
            mend = mend or _how_to_convert(self._hints[code], hits.places[0].file)
            of = 0 if code == "unreadable" else read + self.count
            found += hits.finding(severity, code, split=split, what=what, of=of, mend=mend)
        return found


def _how_to_convert(hint: str, file: str) -> str:
    """The loader's hint; where it names an encoding, also the command that converts the file."""
    named = re.search(r'data\.encoding="([^"]+)"', hint)
    if not named:
        return hint
    return f"{hint}, or convert it: iconv -f {named[1].upper()} -t UTF-8 {file} > NEW"
