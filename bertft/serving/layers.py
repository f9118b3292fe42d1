"""What stands between a connection and a dialect, each an ASGI application around the next one:

Observed   a request id, the access log, metrics, an answer to whatever goes wrong
Admitted   hosts and origins of this machine, the key, 503 while loading and draining
Bounded    the size and time of a body, the time of an answer, clients that have gone
"""

from __future__ import annotations

import asyncio
import hmac
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bertft.serving.connections import CONNECTION, Guard
from bertft.serving.limits import Limits
from bertft.serving.metrics import Metrics
from bertft.serving.refused import Refused

ROUTE = "bertft.route"
"""Key of a scope: the pattern of the path that was asked for, which holds nothing anyone typed."""
LOCAL = {"localhost", "127.0.0.1", "[::1]"}
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
OPEN = {"/", "/health", "/v2/health/live", "/v2/health/ready", "/page.css", "/page.js", "/docs"}
"""Paths without a secret: their GET needs no key."""
Log = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Observed:
    """Names each request, and tells the log and the metrics what became of it."""

    app: ASGIApp
    metrics: Metrics
    log: Log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        id = given if ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
        began = time.perf_counter()
        status = 499  # the client has gone, as nginx calls it

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = id
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self.app(scope, receive, told)
        except Refused as refused:
            await refused.response(scope, receive, told)
        except Exception as error:
            self.metrics.failed(error)
        finally:
            seconds = time.perf_counter() - began
            route = scope.get(ROUTE, "other")
            self.metrics.answered(route=route, code=status, seconds=seconds)
            self.log(
                {
                    "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "id": id,
                    "method": scope["method"] if len(scope["method"]) < 8 else "other",
                    "route": route,
                    "status": status,
                    "seconds": round(seconds, 4),
                    "client": (scope.get("client") or [""])[0],
                }
            )


@dataclass(frozen=True, slots=True)
class Admitted:
    """Lets in who may ask, when there is someone to answer.

    With a key, whoever has it. Without one (``local``) only pages of this machine: another site
    that is open in the same browser cannot ask, nor a name that was bent to this machine.
    """

    app: ASGIApp
    key: bytes
    local: bool
    ready: Callable[[], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            is_open = scope["path"] in OPEN and scope["method"] in ("GET", "HEAD")
            self._check_origin(headers)
            if self.key and not is_open:
                self._check_key(headers)
            if not is_open and scope["path"] != "/metrics" and not self.ready():
                raise Refused(
                    503, "the model is loading, or the server is stopping", "Unhealthy",
                    retry=2, close=True,
                )  # fmt: skip
        await self.app(scope, receive, send)

    def _check_origin(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if self.local and _name(host) not in LOCAL:
            raise Refused(403, "this server answers localhost only", close=True)
        origin = headers.get("origin")
        if not self.key and origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "pages of other sites may not ask", close=True)

    def _check_key(self, headers: Headers) -> None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self.key)
        if not (is_right and kind.lower() == "bearer"):
            raise Refused(401, "a key is needed: Authorization: Bearer ...", close=True)


def _name(host: str) -> str:
    return re.sub(r":\d*$", "", host).lower()


@dataclass(frozen=True, slots=True)
class Bounded:
    """Reads the body whole, within its bounds, and ends the work when nobody waits for it."""

    app: ASGIApp
    limits: Limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_file = scope["path"].endswith("/file")
        most = self.limits.file_bytes if is_file else self.limits.body_bytes
        seconds = self.limits.file_deadline if is_file else self.limits.deadline
        body = await self._body(scope, receive, most)
        if body is None:
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        connection: Guard = scope["state"][CONNECTION]
        try:
            async with asyncio.timeout(seconds):
                with connection.working():
                    await self.app(scope, replay, send)
        except TimeoutError:
            what = f"no answer within {seconds:g} s"
            raise Refused(504, what, "Overloaded", retry=5) from None
        except asyncio.CancelledError:
            if not connection.is_gone:
                raise

    async def _body(self, scope: Scope, receive: Receive, most: int) -> bytes | None:
        """The body; None where the client has gone. Raises Refused."""
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared[:20]) > most:
            raise Refused(413, f"the body is larger than {most:,} bytes", close=True)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise Refused(413, f"the body is larger than {most:,} bytes", close=True)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(408, "the body did not come in time", close=True) from None
