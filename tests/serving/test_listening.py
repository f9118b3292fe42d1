"""The socket that a server listens on."""

from __future__ import annotations

import socket

from bertft.serving.server import listen


def test_what_is_written_is_sent_at_once() -> None:
    """Else the body of each answer waits 40 ms for the client to acknowledge the headers."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
