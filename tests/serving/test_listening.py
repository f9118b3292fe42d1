"""The socket that a server listens on, and what is sent over its connections."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from bertft.serving.connections import Joined
from bertft.serving.server import listen


def test_what_is_written_is_sent_at_once() -> None:
    """Else the body of each answer waits 40 ms for the client to acknowledge the headers."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class Wire(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_head_and_body_are_sent_together_and_nothing_is_lost_at_the_end() -> None:
    async def written() -> list[Any]:
        wire = Wire()
        joined = Joined(wire)
        joined.write(b"head")
        joined.write(b"body")
        assert wire.sent == []
        await asyncio.sleep(0)
        joined.write(b"last")
        joined.close()
        assert wire.closed
        joined.write(b"late")
        await asyncio.sleep(0)
        return wire.sent

    assert asyncio.run(written()) == [b"headbody", b"last"]
