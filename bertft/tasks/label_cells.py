"""Gold cells of a file: what stands in them goes in, the names of an example's labels come out.

One label; or several: a list, a list written as text (JSON, Python, numpy), text with a separator,
zeros and ones in the order of ``task.label_names``, or one column of zeros and ones for each label.
Read order: LabelCells, then what its readers call.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bertft.errors import CellError, DataError
from bertft.loaders.json_text import JsonError, read_json_text
from bertft.loaders.soft import object_in
from bertft.tasks.label_names import Told, label_name
from bertft.tasks.soft_labels import Soft, read_soft

Names = tuple[str, ...]
ReadNames = Callable[[Any, Told], Names | Soft]

_OF_ONE = "labels in a list of one are read as that label"
_AS_TEXT = "lists of labels written as text are read as lists"
_BITS = {"0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True, slots=True)
class LabelCells:
    """How a data set writes its labels; ``names`` are those of places and numbers, if any."""

    multi_label: bool = False
    separator: str = "|"
    names: Names = ()
    columns: Names = ()
    """Columns of zeros and ones, each the name of a label; their cells come as one tuple."""

    def reader(self, first: Sequence[Any]) -> ReadNames:
        """What reads the cells of a file that begins with ``first``.

        Raises:
            DataError: (without a place) they are zeros and ones of which no names are known.
        """
        if self.columns:
            return self._of_columns
        if any(object_in(one) for one in first):
            return lambda value, told: read_soft(value, told, several=self.multi_label)
        if not self.multi_label:
            return one_label
        size = self._vector_size(first)
        if not size:
            return self._several
        if size != len(self.names):
            places = ", ".join(f'"{letter}"' for letter in "ABC"[:size]) + ", ..." * (size > 3)
            known = f", but task.label_names has {len(self.names)}" if self.names else ""
            raise DataError(
                f"the labels are lists of {size} zeros and ones{known}",
                hint=f"say which label each place is: --set 'task.label_names=[{places}]'",
            )
        return self._of_vector

    def _vector_size(self, first: Sequence[Any]) -> int:
        """Places of lists that are zeros and ones throughout; 0 where they are names or numbers."""
        try:
            lists = [parts for one in first if (parts := self._parts(one, Told()))]
            sizes = {len(parts) for parts in lists}
            if len(sizes) != 1 or (size := sizes.pop()) < 2:
                return 0
            bits = [[_bit(part) for part in parts] for parts in lists]
        except ValueError:
            return 0
        if None in {bit for row in bits for bit in row}:
            return 0
        # Of two places, 0 and 1 may be the numbers of two labels among many.
        is_numbers = size == 2 and len(self.names) > 2 and all(a != b for a, b in bits)
        return 0 if is_numbers else size

    def _parts(self, value: Any, told: Told) -> list[Any]:
        """What stands in a cell, one by one."""
        if value is None:
            return []
        if isinstance(value, str):
            if is_listed(value):
                try:
                    parts = read_list(value)
                except ValueError:  # a label may stand in brackets, which are no list then
                    if value.strip().startswith("[") and self.separator not in value:
                        raise
                else:
                    told[_AS_TEXT] += 1
                    return parts
            return [part for text in value.split(self.separator) if (part := text.strip())]
        return list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]

    def _several(self, value: Any, told: Told) -> Names:
        parts = self._parts(value, told)
        names = [label_name(part, told) for part in parts]
        numbers = [part for part in parts if isinstance(part, (int, float))]
        if len(set(numbers)) < len(numbers) or any(one % 1 for one in numbers):
            raise ValueError(f"{_short(value)} is no list of labels, nor of zeros and ones")
        return tuple(dict.fromkeys(names))

    def _of_vector(self, value: Any, told: Told) -> Names:
        bits = [_bit(part) for part in self._parts(value, told)]
        if bits and (len(bits) != len(self.names) or None in bits):
            count = len(self.names)
            raise ValueError(f"the label {_short(value)} is no list of {count} zeros and ones")
        return tuple(name for name, bit in zip(self.names, bits, strict=False) if bit)

    def _of_columns(self, values: Any, told: Told) -> Names:
        found = []
        for column, value in zip(self.columns, values, strict=True):
            bit = _bit(value)
            if bit is None:
                if value is None or not str(value).strip() or value != value:
                    raise CellError(f"column '{column}' is empty", code="missing-label")
                raise ValueError(f"column '{column}' holds {_short(value)}, not 0 or 1")
            found += [column] * bit
        return tuple(found)


def one_label(value: Any, told: Told) -> Names:
    """The one label of a cell."""
    if isinstance(value, str) and is_listed(value):
        try:
            value = read_list(value)
        except ValueError:
            return (label_name(value, told),)
    if isinstance(value, (list, tuple, np.ndarray)):
        if len(value) > 1:
            raise ValueError(
                "the label is a list; for several labels per text set task.multi_label=true"
            )
        told[_OF_ONE] += len(value)
        value = value[0] if len(value) else None
    return (label_name(value, told),)


def bit_columns(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Those of ``columns`` that hold zeros and ones in all rows, if they do not all hold one of
    them alone."""
    found = {}
    for column in columns:
        bits = {_bit(row.get(column)) for row in rows}
        if bits and None not in bits and column.casefold() not in ("id", "idx", "guid", "index"):
            found[column] = bits
    return list(found) if {True, False} in found.values() else []


def _bit(value: Any) -> bool | None:
    """Whether a cell holds 1 or 0, in any spelling; None for any other."""
    if isinstance(value, (str, int, float)):
        try:
            return _BITS.get(label_name(value))
        except ValueError:
            return None
    return None


# --- lists in text ----------------------------------------------------------------------------


def is_listed(text: str) -> bool:
    """Whether a text is written as a list, a tuple or a set."""
    text = text.strip()
    return len(text) > 1 and text[0] + text[-1] in ("[]", "()", "{}")


def read_list(text: str) -> list[Any]:
    """The list that a text writes, in JSON, Python or as numpy prints arrays; nothing is run.

    Raises ValueError where it writes none.
    """
    try:
        value = read_json_text(text.strip())
    except JsonError:
        try:
            value = ast.literal_eval(_with_commas(text.strip()))
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            value = None
    if not isinstance(value, (list, tuple, set)):
        raise ValueError(f"the label {_short(text)} is no list in JSON or Python")
    return sorted(value, key=str) if isinstance(value, set) else list(value)


def _with_commas(text: str) -> str:
    """Numpy prints arrays without commas, and Python would join texts that stand side by side."""
    literals = (tokenize.STRING, tokenize.NUMBER)
    parts: list[str] = []
    before = tokenize.OP
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                continue
            is_literal = token.type in literals or token.string in ("True", "False")
            parts += [","] * (is_literal and before in literals) + [token.string]
            before = tokenize.STRING if is_literal else token.type
    except (tokenize.TokenError, IndentationError) as error:
        raise ValueError(str(error)) from None
    return " ".join(parts)


def _short(value: Any) -> str:
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
