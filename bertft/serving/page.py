"""The page on which anyone can try a model, and what its script asks beside the dialects.

The script asks /v2/models/NAME/infer, so that the page shows what ``bertft predict`` answers.
Nothing is loaded from anywhere else, which the policy of the page forbids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from threading import Event
from typing import Any
from urllib.parse import quote

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from bertft.reports.templating import render
from bertft.serving.bodies import Body, read_body
from bertft.serving.corrections import Corrections
from bertft.serving.files import INPUTS, OUTPUTS, answer_file
from bertft.serving.models import Model
from bertft.serving.refused import Refused, as_json
from bertft.serving.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class CorrectionInput(Body):
    """What was asked, and what would have been right: a label, labels, entities, an answer."""

    texts: list[str]
    gold: JsonValue


@cache
def _page(names: tuple[str, ...]) -> str:
    return str(render("try.html.j2", names=names))


@cache
def _part(template: str) -> str:
    return str(render(template))


async def show(service: Service, _request: Request) -> Response:
    content = _page(tuple(service.models.names))
    return Response(content, headers=HEADERS, media_type="text/html")


async def style(_service: Service, _request: Request) -> Response:
    return Response(_part("try.css"), headers=HEADERS, media_type="text/css")


async def script(_service: Service, _request: Request) -> Response:
    return Response(_part("try.js"), headers=HEADERS, media_type="text/javascript")


async def about(service: Service, request: Request) -> Response:
    """What the page says of a model beside it."""
    return as_json(about_model(service.model(request.path_params["name"])))


def about_model(model: Model) -> dict[str, Any]:
    """Its task, labels, scores and limits."""
    options = getattr(model.task, "options", None)
    scores = model.scores
    fitted = scores.get("calibration", {})
    return {
        "name": model.name,
        "run": model.path.name,
        "kind": model.kind,
        "reads": model.reads,
        "labels": _types(model),
        "multi_label": bool(getattr(options, "multi_label", False)),
        "mask": model.mask,
        "explains": model.explains,
        "max_length": model.predictor.max_length,
        "split": scores.get("split", ""),
        "examples": scores.get("n", 0),
        "metric": scores.get("metric", ""),
        "metrics": scores.get("metrics", {}),
        "baseline": scores.get("baseline", {}),
        "calibration_error": _calibration_error(fitted),
    }


def _types(model: Model) -> list[str]:
    """Its labels; of entities their types."""
    if model.task.name != "ner":
        return list(model.task.labels)
    return list(dict.fromkeys(tag[2:] for tag in model.task.labels if tag[1:2] == "-"))


def _calibration_error(content: Mapping[str, Any]) -> float | None:
    after = content.get("after", content)
    found = after.get("calibration_error") if isinstance(after, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


async def file(service: Service, request: Request) -> Response:
    """Answers to a file: ``?type=csv&out=xlsx``; what is to be said of it is in ``x-notes``."""
    model = service.model(request.path_params["name"])
    suffix, form = (
        "." + request.query_params.get("type", ""),
        request.query_params.get("out", "csv"),
    )
    if suffix not in INPUTS or form not in OUTPUTS:
        kinds = ", ".join(one[1:] for one in INPUTS)
        raise Refused(422, f"type is one of {kinds}; out one of {', '.join(OUTPUTS)}")
    if model.filler is not None:
        raise Refused(422, "this model fills masks; of a file: bertft fill-mask FILE --model")
    content, left = await request.body(), Event()
    if service.files >= service.limits.files:
        raise Refused(429, "other files are being answered", "Overloaded", retry=10)
    service.files += 1
    try:
        found = await asyncio.to_thread(
            answer_file, model, service.worker, content, suffix=suffix, form=form, left=left
        )
    finally:
        service.files -= 1
        left.set()
    headers = {
        "x-rows": str(found.rows),
        "x-notes": quote("\n".join(found.notes)[:4000]),
        "content-disposition": f'attachment; filename="answers.{form}"',
    }
    return Response(found.content, headers=headers, media_type=OUTPUTS[form])


async def correct(service: Service, request: Request) -> Response:
    """Keep what would have been right."""
    model = service.model(request.path_params["name"])
    body = await read_body(request, CorrectionInput, depth=service.limits.json_depth)
    kept: Corrections = request.app.state.corrections
    path = await asyncio.to_thread(kept.add, model, tuple(body.texts), body.gold)
    return as_json({"file": str(path)}, status=201)


async def take_back(service: Service, request: Request) -> Response:
    """Remove what was kept: the last of equal ones."""
    model = service.model(request.path_params["name"])
    body = await read_body(request, CorrectionInput, depth=service.limits.json_depth)
    kept: Corrections = request.app.state.corrections
    path = await asyncio.to_thread(kept.remove, model, tuple(body.texts), body.gold)
    return as_json({"file": str(path)})
