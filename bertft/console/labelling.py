"""Labels asked of a person, one key a label: a Sheet in, its rows labelled.

With more labels than keys a name is typed, or the start of one. ``u`` takes the last label back,
``s`` puts a text off, ``q`` ends; Enter takes what the model says, or, where a text may have
several labels, those that were chosen.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console as RichConsole
from rich.text import Text

from bertft.selection.sheet import Entry, Sheet
from bertft.terminal import printable

UNDO, LATER, END = "u", "s", "q"
KEYS = [key for key in string.digits[1:] + string.ascii_lowercase if key not in (UNDO, LATER, END)]
NONE = "(none)"
ReadKey = Callable[[], str]
"""Waits for a key; raises EOFError or KeyboardInterrupt where there will be none."""


@dataclass(slots=True)
class Labelling:
    """A person and a sheet; ``read_key`` asks for a key, ``read_line`` for a line."""

    sheet: Sheet
    read_key: ReadKey
    read_line: ReadKey = input
    new: int = 0
    """Labels that were given, less those taken back."""
    _later: set[int] = field(default_factory=set)
    _console: RichConsole = field(
        default_factory=lambda: RichConsole(stderr=True, highlight=False, emoji=False)
    )

    def run(self) -> None:
        """Ask until all is labelled, or put off, or the person ends."""
        self._show_keys()
        number = self._next()
        try:
            while number is not None:
                number = self._ask(number)
        except (EOFError, KeyboardInterrupt):
            self._console.print()

    def _next(self) -> int | None:
        return next((one for one in self.sheet.left() if one not in self._later), None)

    def _ask(self, number: int) -> int | None:
        """Ask about an entry until it is decided; the number of the next, None at the end."""
        entry = self.sheet.entries[number]
        self._show(entry)
        chosen = list(entry.predicted) if self.sheet.several else []
        while True:
            key = self._read()
            if key == UNDO:
                back = self.sheet.take_back()
                self.new -= back is not None
                self._say("taken back" if back is not None else "there is no label to take back")
                return number if back is None else back
            if key == LATER:
                self._later.add(number)
                return self._next()
            if key == END:
                return None
            found = self._decided(key, chosen, entry)
            if found is not None:
                self.sheet.give(number, found)
                self.new += 1
                self._say(", ".join(found) or NONE, style="bold green")
                return self._next()

    def _decided(self, key: str, chosen: list[str], entry: Entry) -> Sequence[str] | None:
        """The labels of the entry, once they are decided; a key that is none is told."""
        label = self._label(key)
        if not key:
            return chosen if self.sheet.several else entry.predicted or None
        if label is None:
            self._say(f"no label '{key}'")
        elif self.sheet.several:
            chosen.remove(label) if label in chosen else chosen.append(label)
            self._say(", ".join(chosen) or NONE)
        return [label] if label is not None and not self.sheet.several else None

    def _read(self) -> str:
        """A key, or a line where there are more labels than keys; "" for Enter alone."""
        if len(self.sheet.labels) > len(KEYS):
            return self.read_line().strip()
        key = self.read_key()
        if key in ("\x03", "\x04", ""):
            raise EOFError
        return "" if key in "\r\n" else key

    def _label(self, key: str) -> str | None:
        labels = self.sheet.labels
        if len(labels) <= len(KEYS):
            keys = dict(zip(KEYS, labels, strict=False))
            return keys.get(key.lower())
        starts = [one for one in labels if one.casefold().startswith(key.casefold())]
        exact = [one for one in starts if len(one) == len(key)]
        found = exact or starts
        return found[0] if len(found) == 1 else None

    def _show_keys(self) -> None:
        labels = self.sheet.labels
        if len(labels) <= len(KEYS):
            shown = "   ".join(f"{key} {one}" for key, one in zip(KEYS, labels, strict=False))
        else:
            shown = f"{len(labels)} labels: type the start of a name, then Enter"
        enter = "Enter: as predicted   " * any(one.predicted for one in self.sheet.entries)
        enter = "a key again: not that one   Enter: done   " if self.sheet.several else enter
        self._say(shown)
        self._say(f"{enter}{UNDO} undo   {LATER} later   {END} end", style="dim")

    def _show(self, entry: Entry) -> None:
        done, total = len(self.sheet.given), len(self.sheet.entries)
        self._say(f"\n{done + 1}/{total}", style="dim")
        for text in entry.texts:
            self._say(text)
        if entry.predicted:
            self._say(f"predicted: {', '.join(entry.predicted)}", style="dim")

    def _say(self, text: str, *, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style))
