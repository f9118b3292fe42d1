"""Where examples come from, and what reading them has shown: what every reader is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bertft.errors import DataError

if TYPE_CHECKING:
    from bertft.loaders import Row
    from bertft.settings import DataSettings

BadRow = Callable[[DataError], None]
"""Called with the error of a row that cannot be used; raises, or returns to skip the row."""


def refuse(error: DataError) -> None:
    """The default BadRow: the first unusable row ends the command."""
    raise error


@dataclass(frozen=True, slots=True)
class Doubt:
    """A whole file is probably not as it was meant: ``count`` of ``of`` things are ``what``.

    ``code`` names the kind for programs, ``hint`` says the way out; ``value`` is what the
    setting in it should be.
    """

    code: str
    what: str
    count: int
    of: int
    hint: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.count:,} of {self.of:,}; {self.hint}"


@dataclass(slots=True)
class Meter:
    """What reading a source has shown so far: share of the file read, rows left out.

    ``counts`` are rows left out by rule, ``repaired`` what was put right, by what is to be said;
    ``notes`` what was guessed about the file, ``doubts`` what is wrong with it as a whole,
    ``warnings`` why answers to it may be worthless;
    ``row`` is the row of the example that is being made, ``columns`` are those of its table, where
    each example is one row.
    ``own_ids``: rows are called by ids of the file, not by their numbers; ``roles``: which column
    holds what, by the option of ``[task]`` that names it.
    """

    fraction: Callable[[], float | None] = lambda: None
    blank: Callable[[], int] = lambda: 0
    counts: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    own_ids: bool = False
    roles: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    row: Row | None = None

    def take_row(self) -> Row | None:
        """The row of the example that was just made, once."""
        row, self.row = self.row, None
        return row

    def unfinished(self) -> float | None:
        """The share that is read while some is not: all of a small file is read ahead at once."""
        share = self.fraction()
        return share if share and share < 1 else None


@dataclass(frozen=True, slots=True)
class Source:
    """Where examples come from: a file, ``-`` (stdin), ``bundled:NAME`` or ``hub:owner/name``.

    ``gold`` is False when predicting: label columns are then not required and not read.
    ``format`` overrides the file's suffix (needed for tables on stdin).
    """

    path: str
    data: DataSettings
    gold: bool = True
    whole_file: bool = False
    format: str = ""
    bad_row: BadRow = refuse
    meter: Meter = field(default_factory=Meter)
