"""Whether the quotes of a TSV file are those of CSV, or text: some of its lines in, yes or no out.

Plain TSV has no quotes: a cell that starts with one is a text that does. pandas, Excel and
csv.writer put a cell in quotes where it holds a tab, a line break or a quote, which they double.
Until a cell starts with a quote both ways read the same; from there on what follows decides.
"""

from __future__ import annotations

import csv
import re

AHEAD = 2**20
"""Characters that are looked at from the first quote on."""

_OPENS = re.compile(r'(?:^|\t)"', re.M)
_QUOTED = re.compile(r'(?:\A|\t)"((?:[^"]|"")*)"(?=\t|\Z)')


def first_quote(text: str) -> int:
    """Where the first line begins that has a cell that starts with a quote; -1 for none."""
    found = _OPENS.search(text)
    return text.rfind("\n", 0, found.end()) + 1 if found else -1


def uses_quotes(text: str, *, width: int, whole: bool) -> bool:
    """Whether the lines of a TSV file, from one with a quote on, are to be read as CSV is.

    They are where that gives rows of ``width`` cells throughout (0: as many as the first line has),
    and something shows it: a doubled quote, a tab or a line break inside quotes; a quoted header;
    or commas inside quotes only (Excel). ``whole``: the text reaches the end of the file.
    """
    found = _records(text, whole=whole)
    columns = width or (len(found[0][0]) if found else 0)
    shown = False
    commas = quoted = 0
    for cells, raw in found:
        if len(cells) != columns:
            return False
        inside = _QUOTED.findall(raw)
        lines = raw.split("\n")
        # Or else two texts that begin and end with a quote, and the rows between them.
        broken = len(lines) == 1 or any(line.count("\t") + 1 != columns for line in lines)
        marks = re.compile('""|[\t\r\n]' if broken else '""')
        shown = shown or any(map(marks.search, inside))
        quoted += len(inside)
        commas += sum("," in cell for cell in cells) - sum("," in cell for cell in inside)
        commas += sum("," not in cell for cell in inside)
    header = not width and bool(found) and len(_QUOTED.findall(found[0][1])) == columns
    return shown or header or (quoted > 1 and not commas)


def _records(text: str, *, whole: bool) -> list[tuple[list[str], str]]:
    """(cells, raw text) of each record; [] where the text cannot be read as CSV."""
    lines = text.split("\n")
    ends = [line + "\n" for line in lines[:-1]] + [lines[-1]] * bool(lines[-1])
    reader = csv.reader(ends, delimiter="\t", strict=True)
    found: list[tuple[list[str], str]] = []
    done = 0
    try:
        for cells in reader:
            raw = "".join(ends[done : reader.line_num]).removesuffix("\n").removesuffix("\r")
            done = reader.line_num
            if cells:
                found.append((cells, raw))
    except csv.Error:
        if whole or reader.line_num < len(ends):
            return []
    return found
