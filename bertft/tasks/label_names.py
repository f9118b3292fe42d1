"""Names of labels: what a cell of gold holds goes in, one spelling for each label comes out."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np

from bertft.errors import CellError

Told = Counter[str]
"""What was read otherwise than it is written: sentences, counted (``Meter.mended``)."""

_WHOLE = re.compile(r"(-?[0-9]+)\.0+")
_JOINERS = "\u200c\u200d"
"""They shape scripts and emoji where they stand between two characters; at the ends they do not."""
_BY_SPACE = "labels are read without invisible characters and white space around them"
_BY_TRUTH = "labels are read in small letters: true and false"
_BY_NUMBER = "labels are read as whole numbers: 1.0 is 1"


def label_name(value: Any, told: Told | None = None) -> str:
    """A label cell as its name: 1, 1.0, "1" and "1.0" are the same label, true and "TRUE" too.

    Raises:
        CellError: the label is missing.
        ValueError: the cell holds what is no label.
    """
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        raise CellError("the label is missing", code="missing-label")
    if isinstance(value, (list, tuple, dict, bytes)):
        raise ValueError(f"the label is {type(value).__name__}, not text")
    name, why = _read(str(value))
    if not name:
        raise CellError("the label is missing", code="missing-label")
    if why and told is not None and isinstance(value, str):
        told[why] += 1
    return name


def one_spelling(name: str) -> str:
    """One spelling for what looks the same: composed (NFC), without what cannot be seen."""
    visible = "".join(c for c in name if c in _JOINERS or unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", " ".join(visible.split()).strip(_JOINERS))


def canonical(name: str) -> str:
    """The name that a cell with this text is read as."""
    return _read(name)[0]


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[str, str]:
    """The name of a text, and why it is another one than that text, "" where it is not."""
    name = one_spelling(text)
    why = "" if name == unicodedata.normalize("NFC", text) else _BY_SPACE
    if name != name.lower() and name.lower() in ("true", "false"):
        return name.lower(), _BY_TRUTH
    if number := _WHOLE.fullmatch(name):
        return re.sub(r"^-0$", "0", number.group(1)), _BY_NUMBER
    return name, why


def natural_order(name: str) -> tuple[Any, ...]:
    """Sort key: whole numbers by value and before names, names by code point."""
    return (0, int(name), name) if re.fullmatch(r"-?[0-9]{1,18}", name) else (1, 0, name)
