"""The OpenAPI document of a server: its models in, a description of every path that they have out.

Schemas are those that requests are checked by, so that the document cannot promise anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from bertft.serving import explaining, hugging_face, kserve, tei
from bertft.serving.bodies import Body
from bertft.serving.models import Model
from bertft.serving.service import Service

REFERENCES = "#/components/schemas/{model}"
JSON = "application/json"


class Fault(Body):
    """What every request that is not met is answered with."""

    error: str
    error_type: str


FAULTS = {
    400: "no inputs", 401: "no key", 403: "another site", 404: "no such model", 408: "slow body",
    413: "too large", 422: "not understood", 424: "the model failed", 429: "too busy",
    503: "not ready", 504: "too slow",
}  # fmt: skip


def document(service: Service) -> dict[str, Any]:
    """The document, for the models that answer now."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {
        "/health": _get("Whether models answer"),
        "/info": _get("The first model and its limits"),
        "/metrics": _get("Numbers for Prometheus", kind="text/plain"),
        "/v2": _get("The server"),
        "/v2/health/live": _get("Whether the server lives"),
        "/v2/health/ready": _get("Whether models answer"),
        "/v1/embeddings": _post("Vectors, as OpenAI", tei.EmbeddingsInput, schemas),
    }
    for place, name in enumerate(service.models.names):
        model = service.model(name)
        own = _of_model(model, schemas)
        paths |= {f"/models/{name}{path}": one for path, one in own.items()}
        if place == 0:
            paths |= {path or "/": one for path, one in own.items() if "/pipeline" not in path}
        paths[f"/models/{name}/info"] = _get(f"The model {name}")
        paths[f"/v2/models/{name}"] = _get(f"What {name} reads and gives")
        paths[f"/v2/models/{name}/ready"] = _get(f"Whether {name} answers")
        if model.explains:
            why = _post("What a prediction rests on", explaining.ExplainInput, schemas)
            paths[f"/models/{name}/explain"] = why
        infer = _post(f"Answers of {name}, as bertft predict", kserve.InferInput, schemas)
        paths[f"/v2/models/{name}/infer"] = infer
    _reference(Fault, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bertft", "version": version("bertft")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _of_model(model: Model, schemas: dict[str, Any]) -> dict[str, Any]:
    """Paths below a model's own, "" among them."""
    name = model.name
    found = {"": _post(f"Answers of {name}", hugging_face.SCHEMAS[model.kind], schemas)}
    for task in ("feature-extraction", "sentence-similarity"):
        schema = hugging_face.SCHEMAS[task]
        found[f"/pipeline/{task}"] = _post(f"{task} of {name}", schema, schemas)
    if model.kind == "text-classification":
        found["/predict"] = _post(f"Answers of {name}, as TEI", tei.PredictInput, schemas)
    others: Mapping[str, tuple[str, type[BaseModel]]] = {
        "/embed": ("Vectors", tei.EmbedInput),
        "/rerank": ("Texts by how well they go with a query", tei.RerankInput),
        "/similarity": ("Similarities to a sentence", hugging_face.SimilarityInput),
        "/tokenize": ("Tokens", tei.TokenizeInput),
    }
    return found | {path: _post(what, schema, schemas) for path, (what, schema) in others.items()}


def _get(summary: str, *, kind: str = JSON) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": _responses(kind)}}


def _post(summary: str, schema: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    content = {JSON: {"schema": _reference(schema, schemas)}}
    body = {"required": True, "content": content}
    return {"post": {"summary": summary, "requestBody": body, "responses": _responses(JSON)}}


def _responses(kind: str) -> dict[str, Any]:
    fault = {JSON: {"schema": {"$ref": REFERENCES.format(model="Fault")}}}
    done = {"200": {"description": "done", "content": {kind: {}}}}
    return done | {
        str(code): {"description": what, "content": fault} for code, what in FAULTS.items()
    }


def _reference(schema: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    made = schema.model_json_schema(ref_template=REFERENCES)
    schemas.update(made.pop("$defs", {}))
    schemas[schema.__name__] = made
    return {"$ref": REFERENCES.format(model=schema.__name__)}
