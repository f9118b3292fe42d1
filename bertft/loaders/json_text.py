"""JSON text in, values out; what is wrong with it is said in one sentence.

Beside what is no JSON at all, values are refused that would not survive: an object with a key twice
(one of the two would be lost), half of a surrogate pair (it is no character, and cannot be
written), deep nesting and endless digits (which Python does not read).
"""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH = 64
"""Lists and objects inside one another."""

HALF_PAIR = "half of a surrogate pair (\\ud800 to \\udfff) is not a character"

_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"[ \t\r\n]*")


class JsonError(ValueError):
    """Text that is not JSON: ``str()`` says why, ``at`` is the place in the text."""

    def __init__(self, reason: str, *, at: int) -> None:
        self.at = at
        super().__init__(reason)


class JsonReader:
    """Reads the values of one text after another."""

    def __init__(self) -> None:
        self._twice: list[str] = []
        self._decode = json.JSONDecoder(object_pairs_hook=self._object).raw_decode

    def value(self, text: str, at: int = 0) -> tuple[Any, int, str]:
        """The value at a place, the place behind it, and why it cannot be used ("" when it can).

        Raises JsonError where there is no telling what comes behind it.
        """
        self._twice.clear()
        try:
            value, end = self._decode(text, at)
        except json.JSONDecodeError as error:
            reason = f"not valid JSON: {error.msg} (character {error.colno} of the line)"
            raise JsonError(reason, at=error.pos) from None
        except (ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            raise JsonError(
                "nested too deeply" if deep else "a number is too long", at=at
            ) from None
        return value, end, self._fault(value, text, at, end)

    def whole(self, text: str) -> Any:
        """The one value that a text holds. Raises JsonError, also when it cannot be used."""
        value, end, fault = self.value(text, skip_space(text, 0))
        if fault:
            raise JsonError(fault, at=0)
        if (rest := skip_space(text, end)) < len(text):
            column = rest - text.rfind("\n", 0, rest)
            reason = f"not valid JSON: Extra data (character {column} of the line)"
            raise JsonError(reason, at=rest)
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            self._twice.append(next(name for name in found if names.count(name) > 1))
        return found

    def _fault(self, value: Any, text: str, at: int, end: int) -> str:
        if text.count("[", at, end) + text.count("{", at, end) > DEPTH and _is_deep(value):
            return "nested too deeply"
        if self._twice:
            return f"the key {self._twice[0]!r} stands twice in one object"
        return HALF_PAIR if _ESCAPED.search(text, at, end) and not is_writable(value) else ""


def skip_space(text: str, at: int) -> int:
    """The place of the next character that is not white space."""
    gap = _SPACE.match(text, at)
    return gap.end() if gap else at


def is_writable(value: Any) -> bool:
    """False for a value that holds half of a surrogate pair."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def read_json_text(text: str) -> Any:
    """The value of a text. Raises JsonError."""
    return JsonReader().whole(text)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in values if isinstance(one, (dict, list))]
