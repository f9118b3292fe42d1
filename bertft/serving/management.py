"""What those who run a server ask: is it alive, is it ready, its numbers, its paths, a reload."""

from __future__ import annotations

import asyncio

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from bertft.errors import BertftError
from bertft.serving.bodies import Body, read_body
from bertft.serving.models import settle
from bertft.serving.openapi import document
from bertft.serving.refused import Refused, as_json
from bertft.serving.service import Service


class ReloadInput(Body):
    """``model`` is the name of one; left out, all are loaded anew."""

    model: str = Field(default="", max_length=200)


async def live(_service: Service, _request: Request) -> Response:
    return as_json({"live": True})


async def health(service: Service, _request: Request) -> Response:
    """200 when models answer; 503 while they load and while the server stops."""
    if not service.ready:
        raise Refused(503, "not ready", "Unhealthy", retry=2)
    return as_json({"ready": True})


async def metrics(service: Service, _request: Request) -> Response:
    content = await asyncio.to_thread(service.metrics.page)
    return Response(content, media_type="text/plain; version=0.0.4; charset=utf-8")


async def openapi(service: Service, _request: Request) -> Response:
    return as_json(document(service))


async def reload(service: Service, request: Request) -> Response:
    """Load runs anew, one after the other. One that is damaged stays as it was."""
    body = await read_body(request, ReloadInput, depth=service.limits.json_depth)
    names = [service.model(body.model).name] if body.model else service.models.names
    loaded = {}
    for name in names:
        try:
            model = await asyncio.to_thread(service.models.load, name)
        except BertftError as error:
            raise Refused(424, f"{name} stays as it was: {error}", "Backend") from None
        loaded[name] = str(model.path)
    await asyncio.to_thread(settle)
    return as_json({"loaded": loaded})
