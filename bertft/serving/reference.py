"""The page of all paths: the OpenAPI document in, HTML out with a line for a terminal to each path.

Without a script; ``?language=ko`` or the languages of the browser say which words are used.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from bertft.reports.templating import render
from bertft.serving.korean import Say, english, korean
from bertft.serving.limits import Limits
from bertft.serving.openapi import FAULTS, JSON, document
from bertft.serving.page import HEADERS
from bertft.serving.refused import Refused
from bertft.serving.service import Service

LANGUAGES: Mapping[str, Say] = {"en": english, "ko": korean}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body: where it is, what it may be, and what it is if left out."""

    name: str
    type: str
    limits: str
    default: str
    required: bool


@dataclass(frozen=True, slots=True)
class Path:
    """A path, and how it is asked."""

    method: str
    path: str
    summary: str
    about: str
    fields: list[Field]
    curl: str


async def show(service: Service, request: Request) -> Response:
    """The page, which is open to all: it says nothing that the page at ``/`` does not."""
    if not service.models.ready:
        raise Refused(503, "the model is loading", "Unhealthy", retry=2)
    asked = request.query_params.get("language") or request.headers.get("accept-language", "")
    language = "ko" if asked.startswith("ko") else "en"
    base = f"{request.url.scheme}://{request.headers.get('host', '')}"
    described = document(service, say=LANGUAGES[language])
    content = await asyncio.to_thread(
        _page,
        json.dumps(described),
        tuple(service.models.names),
        service.limits,
        base,
        language,
        bool(request.app.state.key),
    )
    return Response(content, headers=HEADERS, media_type="text/html")


@lru_cache(maxsize=8)
def _page(
    described: str, names: tuple[str, ...], limits: Limits, base: str, language: str, has_key: bool
) -> str:
    say = LANGUAGES[language]
    paths = paths_of(json.loads(described), say=say, base=base, has_key=has_key)
    groups: dict[str, list[Path]] = {}
    for one in paths:
        groups.setdefault(_group(one.path, names, say), []).append(one)
    return str(
        render(
            "paths.html.j2",
            say=say,
            language=language,
            groups=groups,
            has_key=has_key,
            faults=FAULTS,
            limits={
                "texts in a request": limits.texts,
                "texts in a request of /v1/embeddings and /v2/models": limits.batch_texts,
                "bytes of a body": limits.body_bytes,
                "seconds to an answer": f"{limits.deadline:g}",
                "requests that wait": limits.queue,
            },
        )
    )


def _group(path: str, names: tuple[str, ...], say: Say) -> str:
    """The heading that a path stands below."""
    for name in names:
        if f"{path}/".startswith((f"/models/{name}/", f"/v2/models/{name}/")):
            return say("Model {}", name)
    is_server = path.startswith(("/health", "/info", "/metrics", "/v1", "/v2"))
    return say("The server") if is_server else say("The first model")


def paths_of(described: Mapping[str, Any], *, say: Say, base: str, has_key: bool) -> Iterator[Path]:
    """Every path of an OpenAPI document."""
    schemas = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            content = one.get("requestBody", {}).get("content", {}).get(JSON, {})
            schema = _resolved(content.get("schema", {}), schemas)
            words = ["curl", base + quote(path)]
            shown = " ".join(map(shlex.quote, words))
            if has_key and path not in ("/health", "/v2/health/live", "/v2/health/ready"):
                shown += ' -H "Authorization: Bearer $BERTFT_KEY"'
            if content:
                shown += " -d " + shlex.quote(json.dumps(content["example"], ensure_ascii=False))
            about = " ".join(schema.get("description", "").replace("``", "").split())
            yield Path(
                method.upper(), path, one["summary"], say(about) if about else "",
                list(fields_of(schema, schemas, say=say)), shown,
            )  # fmt: skip


def fields_of(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], *, say: Say, below: str = ""
) -> Iterator[Field]:
    """The fields of an object, those of objects in it behind them."""
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        default = one.get("default")
        yield Field(
            below + name,
            _type(one, schemas),
            ", ".join(dict.fromkeys(_limits(one, say))),
            "" if default is None else json.dumps(default, ensure_ascii=False),
            name in required,
        )
        for place, inner in _objects(one, schemas):
            yield from fields_of(inner, schemas, say=say, below=f"{below}{name}{place}.")


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else {}
    return found or schema


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """As JSON calls it; "" of null, which stands for what is left out."""
    if "anyOf" in schema:
        kinds = [_type(one, schemas) for one in schema["anyOf"]]
        return " | ".join(dict.fromkeys(filter(None, kinds)))
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return " | ".join(map(json.dumps, values))
    if schema.get("type") == "array":
        inner = _type(schema.get("items", {}), schemas)
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    kind = str(_resolved(schema, schemas).get("type", "any"))
    return "" if kind == "null" else kind


def _limits(schema: Mapping[str, Any], say: Say) -> Iterator[str]:
    marks = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    yield from (f"{mark} {schema[name]}" for name, mark in marks.items() if name in schema)
    for name, mark in (("minItems", "≥"), ("maxItems", "≤")):
        if name in schema:
            yield f"{mark} " + say("{} items", schema[name])
    if "maxLength" in schema:
        yield "≤ " + say("{} characters", schema["maxLength"])
    for one in schema.get("anyOf", ()):
        yield from _limits(one, say)


def _objects(
    schema: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Objects that a value may be, or hold in a list ("[]"), each once."""
    if "anyOf" in schema:
        seen: set[str] = set()
        for one in schema["anyOf"]:
            for place, inner in _objects(one, schemas):
                if inner.get("title", "") not in seen:
                    seen.add(inner.get("title", ""))
                    yield place, inner
        return
    if schema.get("type") == "array":
        for place, inner in _objects(schema.get("items", {}), schemas):
            yield "[]" + place, inner
        return
    found = _resolved(schema, schemas)
    if "properties" in found:
        yield "", found
