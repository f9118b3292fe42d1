"""Connections of a server: bytes of strangers in, and whoever is too slow, or too many, out.

uvicorn has deadlines neither for headers nor for answers that nobody reads, and counts connections
only after their headers came. A Guard stands before its protocol and passes on what it is told.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bertft.serving.limits import Limits


class Connections:
    """Makes the protocol of each connection; ``make`` is uvicorn's own."""

    def __init__(self, make: Any, limits: Limits) -> None:
        self._make, self._limits = make, limits
        self.open: set[Guard] = set()
        self.refused = 0

    def __call__(self, **settings: Any) -> asyncio.Protocol:
        """As uvicorn calls the class of its protocol."""
        return Guard(self._make(**settings), self, self._limits)


class Guard(asyncio.Protocol):
    """One connection. ``inner`` is the protocol, whose ``cycle`` is the request being answered."""

    def __init__(self, inner: Any, all_: Connections, limits: Limits) -> None:
        self._inner, self._all, self._limits = inner, all_, limits
        self._transport: Any = None
        self._headers: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._bytes = 0  # of headers that are not complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if len(self._all.open) >= self._limits.connections:
            self._all.refused += 1
            self._transport.abort()
            return
        self._all.open.add(self)
        self._inner.connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers = _cancelled(self._headers)
        self._unread = _cancelled(self._unread)
        if self in self._all.open:
            self._all.open.discard(self)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self not in self._all.open:
            return
        before = self._inner.cycle
        if before is None or before.response_complete:
            self._bytes += len(data)
            self._await_headers()
        self._inner.data_received(data)
        if self._inner.cycle is not before:  # headers are complete
            self._bytes = 0
            self._headers = _cancelled(self._headers)
        elif self._bytes > self._limits.header_bytes:
            self._transport.abort()

    def eof_received(self) -> None:
        self._inner.eof_received()

    def pause_writing(self) -> None:
        self._unread = self._later(self._limits.write_seconds)
        self._inner.flow.pause_writing()

    def resume_writing(self) -> None:
        self._unread = _cancelled(self._unread)
        self._inner.flow.resume_writing()

    def _await_headers(self) -> None:
        if self._headers is None:
            self._headers = self._later(self._limits.header_seconds)

    def _later(self, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._transport.abort)


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No timer, in the place of one."""
    if timer is not None:
        timer.cancel()
    return None
