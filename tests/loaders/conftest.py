"""Fixtures of the loader tests: writing files, and reading all rows of a source."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.tables import Row, open_table
from bertft.settings import DataSettings

Write = Callable[[str, "str | bytes"], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes text (as UTF-8, line ends untouched) or bytes; gives the path."""

    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Makes bytes the standard input."""

    def feed(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return feed


@dataclass
class Reading:
    """All rows of a table, and the errors of the rows that were skipped."""

    rows: list[Row] = field(default_factory=list)
    skipped: list[DataError] = field(default_factory=list)
    columns: tuple[str, ...] = ()

    @property
    def values(self) -> list[list[object]]:
        return [list(row.fields.values()) for row in self.rows]

    @property
    def lines(self) -> list[int]:
        return [row.line for row in self.rows]


def read(
    path: str,
    *,
    data: DataSettings | None = None,
    format: str | None = None,
    skip: bool = False,
) -> Reading:
    """Read a table to its end; ``skip`` collects the errors of bad rows instead of raising."""
    reading = Reading()
    source = Source(path=path, data=data or DataSettings())
    if skip:
        source = Source(path=path, data=source.data, bad_row=reading.skipped.append)
    table = open_table(source, format=format)
    reading.columns = table.columns
    reading.rows.extend(table)
    return reading


@pytest.fixture(name="read", scope="session")
def read_fixture() -> Callable[..., Reading]:
    return read
