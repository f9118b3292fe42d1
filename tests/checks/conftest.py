"""Splits for the tests of checks, from texts and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from bertft.checks.finding import Reading, Split


@dataclass(frozen=True)
class Row:
    """An example, as far as checks look at it."""

    id: str
    line: int
    group: str = ""


MakeSplit = Callable[..., Split]


@pytest.fixture(scope="session")
def make_split() -> MakeSplit:
    """``make_split("train", rows)``: each row a text, or its texts, with a label behind them."""

    def make(name: str, rows: Iterable[tuple[str, ...]], *, group: bool = False) -> Split:
        rows = list(rows)
        examples = [Row(str(i), i, row[0] if group else "") for i, row in enumerate(rows, 1)]
        readings = [Reading(row[:-1], (row[-1],), row[-1]) for row in rows]
        return Split(name, f"{name}.csv", examples, readings)

    return make
