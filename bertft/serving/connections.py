"""Connections of a server: bytes of strangers in, and whoever is too slow, or too many, out.

uvicorn has deadlines neither for headers nor for answers that nobody reads, and counts connections
only after their headers came. A Guard stands before its protocol and passes on what it is told.
Where there are as many as may be, a new one takes the place of the oldest that has asked nothing
yet, else of one that asks nothing now: who only sits there keeps nobody out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bertft.serving.limits import Limits

CONNECTION = "bertft.connection"
"""Key of the state of a request: the Guard that it came by."""


class Connections:
    """Makes the protocol of each connection; ``make`` is uvicorn's own."""

    def __init__(self, make: Any, limits: Limits) -> None:
        self._make, self._limits = make, limits
        self.open: dict[Guard, None] = {}
        self.silent: dict[Guard, None] = {}
        """Those that have asked nothing yet, the oldest first."""

    def __call__(self, **settings: Any) -> asyncio.Protocol:
        """As uvicorn calls the class of its protocol."""
        return Guard(self._make(**settings), self, self._limits)

    def take_on(self, guard: Guard) -> bool:
        """Whether there is room for it, or can be made."""
        if len(self.open) >= self._limits.connections:
            resting = next((one for one in self.open if not one.is_asking), None)
            leaving = next(iter(self.silent), resting)
            if leaving is None:
                return False
            leaving.abort()
        self.open[guard] = self.silent[guard] = None
        return True

    def forget(self, guard: Guard) -> None:
        self.open.pop(guard, None)
        self.silent.pop(guard, None)


class Guard(asyncio.Protocol):
    """One connection. ``inner`` is the protocol, whose ``cycle`` is the request being answered."""

    def __init__(self, inner: Any, all_: Connections, limits: Limits) -> None:
        self._inner, self._all, self._limits = inner, all_, limits
        self._transport: Any = None
        self._headers: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._bytes = 0  # of headers that are not complete
        self._is_known = False  # to the protocol
        self._work: set[asyncio.Task[Any]] = set()
        self.is_gone = False
        inner.app_state = inner.app_state | {CONNECTION: self}

    @contextmanager
    def working(self) -> Iterator[None]:
        """What the task does meanwhile is cancelled when the client goes."""
        task = asyncio.current_task()
        assert task is not None
        self._work.add(task)
        try:
            yield
        finally:
            self._work.discard(task)

    @property
    def is_asking(self) -> bool:
        """Whether a request is being answered."""
        cycle = self._inner.cycle
        return cycle is not None and not cycle.response_complete

    def abort(self) -> None:
        """End the connection, without a word; nothing of it is heard any more."""
        self._all.forget(self)
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if not self._all.take_on(self):
            self.abort()
            return
        self._is_known = True
        self._inner.connection_made(Joined(self._transport))
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers = _cancelled(self._headers)
        self._unread = _cancelled(self._unread)
        self._all.forget(self)
        if self._is_known:
            self._inner.connection_lost(exc)
        self.is_gone = True
        for one in self._work:
            one.cancel()

    def data_received(self, data: bytes) -> None:
        if self not in self._all.open:
            return
        before = self._inner.cycle
        if not self.is_asking:
            self._bytes += len(data)
            self._await_headers()
        self._inner.data_received(data)
        if self._inner.cycle is not before:  # headers are complete
            self._bytes = 0
            self._headers = _cancelled(self._headers)
            self._all.silent.pop(self, None)
        elif self._bytes > self._limits.header_bytes:
            self.abort()

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
        return asyncio.get_running_loop().call_later(seconds, self.abort)


class Joined(asyncio.Transport):
    """A transport that sends together what is written in one go: the head of an answer and its
    body. Each call of the system gives other threads their turn, and waits for it to end."""

    def __init__(self, inner: asyncio.Transport) -> None:
        super().__init__()
        self._inner, self._held = inner, list[bytes]()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def write(self, data: Any) -> None:
        if not self._held:
            asyncio.get_running_loop().call_soon(self._send)
        self._held.append(data)

    def close(self) -> None:
        self._send()
        self._inner.close()

    def _send(self) -> None:
        held, self._held = self._held, []
        if held and not self._inner.is_closing():
            self._inner.write(b"".join(held))


def _cancelled(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No timer, in the place of one."""
    if timer is not None:
        timer.cancel()
    return None
