"""Single values as other programs write them: lists inside a cell of text, numbers as text.

In: a cell. Out: the value, or None (JsonError for a list) where there is no telling what it means.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from bertft.loaders.json_text import JsonError, is_writable, read_json_text

_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.S)
_NEIGHBOURS = re.compile(r"s\s*s|[\]})]\s*[\[{(]")
_FAULTS = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def read_cell(text: str) -> Any:
    """The list or object in a cell: JSON, or a literal of Python as ``str`` writes it (pandas).

    Raises:
        JsonError: it is neither; also a list without commas, as NumPy writes it.
    """
    try:
        return read_json_text(text)
    except JsonError as fault:
        if not text.lstrip().startswith(("[", "{", "(")):
            raise
        if _NEIGHBOURS.search(_LITERAL.sub("s", text)):
            reason = "a list without commas (NumPy's); write it with json.dumps(list(...))"
            raise JsonError(reason, at=0) from None
        try:
            value = ast.literal_eval(text.strip())
        except _FAULTS:
            raise fault from None
        if not _is_plain(value) or not is_writable(value):
            raise fault from None
        return value


def _is_plain(value: Any) -> bool:
    """Only what JSON can hold as well, tuples for lists."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    return value is None or isinstance(value, str | int | float)


def whole_number(value: Any) -> int | None:
    """A whole number, also one written as text ("3") or as 3.0; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,15}(\.0*)?\s*", value):
        return int(float(value))
    return None
