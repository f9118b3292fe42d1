"""What a request is refused with: a status, and a body that is TEI's and Hugging Face's as well."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

from starlette.responses import Response

from bertft.arrays import FloatArray

Kind = Literal["Validation", "Empty", "Overloaded", "Unhealthy", "Backend", "Tokenization"]


class Refused(Exception):  # noqa: N818 - it is an answer
    """The answer to a request that is not met; ``retry`` says after how many seconds it may be.

    ``close``: nothing more is read from the connection.
    """

    def __init__(
        self,
        status: int,
        error: str,
        kind: Kind = "Validation",
        *,
        retry: int = 0,
        close: bool = False,
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.kind, self.retry, self.close = (
            status, error, kind, retry, close
        )  # fmt: skip

    @property
    def response(self) -> Response:
        headers = {"retry-after": str(self.retry)} if self.retry else {}
        headers |= {"connection": "close"} if self.close else {}
        headers |= {"www-authenticate": "Bearer"} if self.status == 401 else {}
        content = {"error": self.error, "error_type": self.kind}
        return as_json(content, status=self.status, headers=headers)


def as_json(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON in UTF-8."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, headers, "application/json")


async def as_json_rows(vectors: FloatArray, *, headers: dict[str, str] | None = None) -> Response:
    """A response of vectors, written beside the event loop: a row at a time, after each of which
    others have their turn."""

    def written() -> bytes:
        return f"[{','.join(json.dumps(row.tolist()) for row in vectors)}]".encode()

    return Response(await asyncio.to_thread(written), 200, headers, "application/json")
