"""How a delimited file is written: the text of its start in, its delimiter and its header out.

Only what is plain is used, and said: one mark that divides all lines alike where the usual one does
not; a first line that holds what the lines below hold.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import islice

from bertft.loaders.column_names import is_known

MARKS = ",;\t|"
LINES = 100
"""Records that are looked at."""
MOST = 0.9
"""Share of records that have as many cells as the first."""

_NUMBER = re.compile(r"-?\d+([.,]\d+)?")
_SENTENCE = re.compile(r"\S+\s.*[.!…ㅋㅎㅠㅜ]", re.S)  # a form asks questions in its header


def find_delimiter(text: str, *, usual: str) -> str:
    """``usual``, unless the first line does not hold it and one other mark divides the lines."""
    rows = _records(text, usual)
    if not rows or len(rows[0]) > 1:
        return usual
    fitting = [mark for mark in MARKS if mark != usual and _divides(_records(text, mark))]
    return fitting[0] if len(fitting) == 1 else usual


def is_headless(text: str, *, delimiter: str) -> bool:
    """Whether the first line of a file is plainly data: none of its cells is a usual name, and one
    is a value of the rows below, a number among numbers, or a sentence."""
    rows = _records(text, delimiter)
    if not rows or any(map(is_known, rows[0])) or not all(cell.strip() for cell in rows[0]):
        return False
    rest = [row for row in rows[1:] if len(row) == len(rows[0])]
    columns = list(zip(*rest, strict=True)) or [()] * len(rows[0])
    return any(map(_is_value, rows[0], columns))


def _is_value(cell: str, below: Sequence[str]) -> bool:
    """Whether a cell is no name of its column, but one of its values."""
    cell = cell.strip()
    if _SENTENCE.fullmatch(cell):
        return True
    if _NUMBER.fullmatch(cell):
        return bool(below) and all(_NUMBER.fullmatch(one.strip()) for one in below)
    return cell in below and 2 * len(set(below)) <= len(below)


def _divides(rows: Sequence[Sequence[str]]) -> bool:
    width = len(rows[0]) if rows else 1
    return width > 1 and sum(len(row) == width for row in rows) >= MOST * len(rows)


def _records(text: str, delimiter: str) -> list[list[str]]:
    """The first records; none where they cannot be read."""
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    try:
        return [row for row in islice(csv.reader(lines, delimiter=delimiter), LINES) if row]
    except csv.Error:
        return []
