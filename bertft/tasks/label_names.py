"""Names of labels: what a cell of gold holds goes in, one spelling for each label comes out."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

import numpy as np

from bertft.errors import CellError


def label_name(value: Any) -> str:
    """A label cell as its name: 1, 1.0 and "1" are the same label."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise CellError("the label is missing", code="missing-label")
    if isinstance(value, (list, dict, bytes)):
        raise ValueError(f"the label is {type(value).__name__}, not text")
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    name = str(value).strip()
    if not name:
        raise CellError("the label is missing", code="missing-label")
    return one_spelling(name)


def one_spelling(name: str) -> str:
    """One spelling for what looks the same: composed characters (NFC)."""
    return unicodedata.normalize("NFC", name)


def natural_order(name: str) -> tuple[Any, ...]:
    """Sort key: whole numbers by value and before names, names by code point."""
    return (0, int(name), name) if re.fullmatch(r"-?[0-9]{1,18}", name) else (1, 0, name)
