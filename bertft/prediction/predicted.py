"""An answer with what it answers: the row of the user's table, the passage it stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bertft.contracts import Answer


@dataclass(frozen=True, slots=True)
class Given:
    """A row of the user's table, and the columns of that table (of all tables, where several are
    answered into one file)."""

    columns: tuple[str, ...]
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Predicted:
    """``row`` is None for what is no row of a table; ``context`` is the passage of a question."""

    answer: Answer
    row: Given | None = None
    context: str = ""
