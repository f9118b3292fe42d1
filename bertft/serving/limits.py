"""What a server takes on before it refuses: every bound in one place, all of them settable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what strangers may ask for; times are seconds."""

    body_bytes: int = 2_000_000
    file_bytes: int = 20_000_000
    """Of a table that is given to the page."""
    texts: int = 32
    """Texts in one request."""
    batch_texts: int = 1024
    """Texts in one request of /v1/embeddings and /v2/models/NAME/infer."""
    queue: int = 512
    """Requests that wait for the model; more are answered by 429."""
    batch_tokens: int = 4096
    """Tokens that the model reads in one turn: a short request waits for the turn that is running,
    not for a long request."""
    deadline: float = 30.0
    """From the end of the body to the answer."""
    file_deadline: float = 600.0
    files: int = 2
    """Files that are answered at the same time; more are answered by 429."""
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    write_seconds: float = 20.0
    """How long a client may leave an answer unread."""
    idle_seconds: float = 60.0
    """How long a connection may stay open between two requests."""
    header_bytes: int = 32_768
    json_depth: int = 16
    connections: int = 1024
    drain_seconds: float = 35.0
    """How long requests are finished after SIGTERM."""
    corrections_bytes: int = 50_000_000
    """Size from which on a file of corrections takes no more."""
