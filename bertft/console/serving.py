"""The access log of a server: a line of JSON for each request, on stderr, by a thread of its own.

Whoever reads the lines slowly, or not at all, does not stop the server: lines that find no room are
counted.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any

ROOM = 10_000
TOGETHER = 100
"""Lines that are written at once where many wait: each writing holds the event loop up."""


class AccessLog:
    """Takes what is known of a request and writes it later."""

    def __init__(self) -> None:
        self._lines: queue.Queue[Mapping[str, Any]] = queue.Queue(ROOM)
        self._lost = 0
        threading.Thread(target=self._write, name="access log", daemon=True).start()

    def __call__(self, entry: Mapping[str, Any]) -> None:
        try:
            self._lines.put_nowait(entry)
        except queue.Full:
            self._lost += 1

    def _write(self) -> None:
        while True:
            entries = [self._lines.get()]
            while len(entries) < TOGETHER and not self._lines.empty():
                entries.append(self._lines.get())
            lost, self._lost = self._lost, 0
            entries[-1] = dict(entries[-1]) | ({"lost_lines": lost} if lost else {})
            lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in entries]
            try:
                sys.stderr.write("".join(lines))
                sys.stderr.flush()
            except (OSError, ValueError):  # nobody reads it any more
                return


def no_log(_entry: Mapping[str, Any]) -> None:
    """Writes nothing."""
