"""Signals of the user, SIGINT and SIGTERM: heeded by the loop, or raised as KeyboardInterrupt.

While steps are taken a signal is only noted, so that the step can be finished and saved. Before and
after, where there is nothing to save, it raises KeyboardInterrupt with its number.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

WATCHED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def caught_signals(*, tell: Callable[[str], None]) -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them; a second one changes nothing."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            # It may have come while another message was being written: then it goes untold.
            with suppress(RuntimeError, OSError):
                tell(f"{signal.Signals(number).name}: the step is finished and saved first")

    with _handled_by(note):
        yield received


@contextmanager
def raised_signals() -> Iterator[None]:
    """SIGINT and SIGTERM raise KeyboardInterrupt, with the signal's number as its argument."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    with _handled_by(stop):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in WATCHED}
    try:
        for number in WATCHED:
            signal.signal(number, handler)
    except ValueError:  # not in the main thread: the caller keeps its own handlers
        before = {}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
