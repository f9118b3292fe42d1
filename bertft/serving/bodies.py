"""Bodies of requests: bytes in, what a schema says they are out, or one line on what is wrong.

Nothing is reinterpreted: a number is no text, an unknown key is a slip, NaN and halves of
characters (lone surrogates) are refused.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from bertft.serving.refused import Refused

LARGE = 65_536
"""Bytes from which on a body is parsed beside the event loop."""


class Body(BaseModel):
    """Base of all schemas: no unknown keys, no change of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


Schema = TypeVar("Schema", bound=Body)


async def read_body(request: Request, schema: type[Schema], *, depth: int) -> Schema:
    """The body of a request. Raises Refused (422) where it is not of the schema."""
    body = await request.body()
    if len(body) > LARGE:
        return await asyncio.to_thread(parse, body, schema, depth=depth)
    return parse(body, schema, depth=depth)


def parse(body: bytes, schema: type[Schema], *, depth: int) -> Schema:
    """As ``read_body``, for bytes."""
    value = _json(body, depth=depth)
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise Refused(422, _fault(error)) from None


def _json(body: bytes, *, depth: int) -> Any:
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except RecursionError:
        raise Refused(422, f"the JSON is nested more than {depth} deep") from None
    except UnicodeDecodeError:
        raise Refused(422, "the body is not UTF-8") from None
    except ValueError as error:
        raise Refused(422, f"the body is not JSON ({str(error)[:80]})") from None
    if body.count(b"[") + body.count(b"{") > depth and _is_deeper(value, depth):
        raise Refused(422, f"the JSON is nested more than {depth} deep")
    if b"\\u" in body or b"\\U" in body:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise Refused(422, "a text holds half a character (a lone surrogate)") from None
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [
            child
            for one in level
            if isinstance(one, list | dict)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _fault(error: ValidationError) -> str:
    """The fault that lies deepest, as a path and what is wrong there; without the value."""
    faults = error.errors(include_input=False, include_url=False)
    first = max(faults, key=lambda one: len(one["loc"]))
    where = ".".join(str(part) for part in first["loc"] if not _is_type(part))
    return f"{where or 'body'}: {first['msg']}"


def _is_type(part: str | int) -> bool:
    """Whether a part of a place names a branch of a union, not a key."""
    return isinstance(part, str) and (
        "[" in part or part in ("str", "list", "dict") or part[:1].isupper()
    )
