"""Signals of the user: SIGINT and SIGTERM in, a list of their numbers out, for the loop to heed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them; a second one changes nothing."""
    received: list[int] = []
    watched = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {number: signal.getsignal(number) for number in watched}
        for number in watched:
            signal.signal(number, lambda n, _frame: received.append(n))
    except ValueError:  # not in the main thread: the caller keeps its own handlers
        before = {}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
