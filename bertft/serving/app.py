"""The application: models, limits and a log in, what uvicorn calls out.

Every path is here. Those without a name mean the first model; those below /models/NAME any.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bertft.serving import explaining, hugging_face, kserve, management, page, reference, tei
from bertft.serving.corrections import Corrections
from bertft.serving.layers import ROUTE, Admitted, Bounded, Log, Observed
from bertft.serving.refused import Refused
from bertft.serving.service import Service

Endpoint = Callable[[Service, Request], Awaitable[Response]]
NAMED = "/models/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may ask: whoever has the ``key``; "" is everyone, ``local`` for this machine alone."""

    key: str = ""
    local: bool = True


def make_app(
    service: Service,
    *,
    access: Access,
    corrections: Corrections,
    log: Log,
    started: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """The whole application. ``started`` is called in the event loop when it begins."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        started()
        yield

    state = {"service": service, "corrections": corrections, "key": access.key}
    faults = {404: _missing, 405: _method, 500: _broken}
    app = Starlette(routes=_routes(), lifespan=lifespan, exception_handlers=faults)
    for name, value in state.items():
        setattr(app.state, name, value)
    bounded = Bounded(app, service.limits)
    admitted = Admitted(bounded, access.key.encode(), access.local, lambda: service.ready)
    return Observed(admitted, service.metrics, log)


def _routes() -> list[Route]:
    """All paths; the OpenAPI document (openapi.py) and /docs describe those that take JSON."""
    routes = [
        _route("GET", "/", page.show),
        _route("GET", "/page.css", page.style),
        _route("GET", "/page.js", page.script),
        _route("GET", "/docs", reference.show),
        _route("GET", "/health", management.health),
        _route("GET", "/metrics", management.metrics),
        _route("GET", "/openapi.json", management.openapi),
        _route("POST", "/admin/reload", management.reload),
        _route("GET", "/v2", kserve.server),
        _route("GET", "/v2/health/live", management.live),
        _route("GET", "/v2/health/ready", management.health),
        _route("GET", "/v2/models/{name}", kserve.metadata),
        _route("GET", "/v2/models/{name}/ready", kserve.model_ready),
        _route("POST", "/v2/models/{name}/infer", kserve.infer),
        _route("POST", "/v1/embeddings", tei.embeddings),
        _route("POST", "/", hugging_face.infer),
        _route("POST", NAMED, hugging_face.infer),
        _route("POST", NAMED + "/pipeline/{task}", hugging_face.infer),
        _route("GET", NAMED + "/about", page.about),
        _route("POST", NAMED + "/explain", explaining.explain),
        _route("POST", NAMED + "/file", page.file),
        _route("POST", NAMED + "/corrections", page.correct),
        _route("DELETE", NAMED + "/corrections", page.take_back),
    ]
    for path, endpoint in TEI.items():
        routes += [_route("POST", path, endpoint), _route("POST", NAMED + path, endpoint)]
    return [*routes, _route("GET", "/info", tei.info), _route("GET", NAMED + "/info", tei.info)]


TEI: dict[str, Endpoint] = {
    "/predict": tei.predict,
    "/embed": tei.embed,
    "/rerank": tei.rerank,
    "/similarity": tei.compare,
    "/tokenize": tei.tokenize,
}


def _route(method: str, path: str, endpoint: Endpoint) -> Route:
    async def called(request: Request) -> Response:
        request.scope[ROUTE] = path
        try:
            return await endpoint(request.app.state.service, request)
        except Refused as refused:
            return refused.response

    return Route(path, called, methods=[method])


async def _missing(_request: Request, _error: Exception) -> Response:
    return Refused(404, "no such path; GET /docs names them all").response


async def _method(request: Request, error: Exception) -> Response:
    refused = Refused(405, f"not by {request.method}").response
    refused.headers.update(getattr(error, "headers", None) or {})
    return refused


async def _broken(_request: Request, _error: Exception) -> Response:
    return Refused(500, "a fault of the server", "Backend", close=True).response
