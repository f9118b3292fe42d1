"""The OpenAPI document of a server: its models in, a description of every path that they have out.

Schemas are those that requests are checked by, so that the document cannot promise anything else;
each body has an example that is answered.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from bertft.serving import explaining, hugging_face, kserve, tei
from bertft.serving.bodies import Body
from bertft.serving.korean import Say, english
from bertft.serving.models import Model
from bertft.serving.service import Service

REFERENCES = "#/components/schemas/{model}"
JSON = "application/json"
How = tuple[str, type[BaseModel], dict[str, Any]]
"""What a path is for, the schema of its body, and an example of one."""


class Fault(Body):
    """What every request that is not met is answered with."""

    error: str
    error_type: str


FAULTS = {
    400: "no inputs", 401: "no key", 403: "another site", 404: "no such model", 408: "slow body",
    413: "too large", 422: "not understood", 424: "the model failed", 429: "too busy",
    503: "not ready", 504: "too slow",
}  # fmt: skip
TEXTS = {
    "text": "What a film.", "text_pair": "I liked it.", "premise": "It rains all day.",
    "hypothesis": "The sun shines.", "question": "Who lives in Paris?",
    "context": "Ann lives in Paris.",
}  # fmt: skip
"""Examples of what models read."""


def document(service: Service, *, say: Say = english) -> dict[str, Any]:
    """The document, for the models that answer now, in the language of ``say``."""
    schemas: dict[str, Any] = {}

    def post(summary: str, schema: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
        content = {JSON: {"schema": _reference(schema, schemas), "example": example}}
        body = {"required": True, "content": content}
        return {"post": {"summary": summary, "requestBody": body, "responses": _responses(JSON)}}

    first = service.model()
    asked = {"input": TEXTS["text"], "model": first.name}
    paths: dict[str, Any] = {
        "/health": _get(say("Whether models answer")),
        "/info": _get(say("The first model and its limits")),
        "/metrics": _get(say("Numbers for Prometheus"), kind="text/plain"),
        "/v2": _get(say("The server")),
        "/v2/health/live": _get(say("Whether the server lives")),
        "/v2/health/ready": _get(say("Whether models answer")),
        "/v1/embeddings": post(say("Vectors, as OpenAI"), tei.EmbeddingsInput, asked),
    }
    for name in service.models.names:
        model = service.model(name)
        own = {path: post(*how) for path, how in _of_model(model, say).items()}
        paths |= {f"/models/{name}{path}": one for path, one in own.items()}
        if model is first:
            paths |= {path or "/": one for path, one in own.items() if "/pipeline" not in path}
        paths[f"/models/{name}/info"] = _get(say("The model {}", name))
        paths[f"/v2/models/{name}"] = _get(say("What {} reads and gives", name))
        paths[f"/v2/models/{name}/ready"] = _get(say("Whether {} answers", name))
        if model.explains:
            what, texts = say("What a prediction of {} rests on", name), _texts(model)
            why = post(what, explaining.ExplainInput, {"texts": texts})
            paths[f"/models/{name}/explain"] = why
        infer = post(say("Answers of {}, as bertft", name), kserve.InferInput, _tensors(model))
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


def _of_model(model: Model, say: Say) -> dict[str, How]:
    """Paths below a model's own, "" among them."""
    name, texts = model.name, _texts(model)
    inputs: Any = texts[0]
    if model.kind == "question-answering":
        inputs = {"question": texts[0], "context": texts[1]}
    elif len(texts) > 1:
        inputs = {"text": texts[0], "text_pair": texts[1]}
    plain, others = {"inputs": TEXTS["text"]}, [TEXTS["text_pair"], TEXTS["context"]]
    alike = {"inputs": {"source_sentence": TEXTS["text"], "sentences": others}}
    query = {"query": TEXTS["question"], "texts": others}
    schemas = hugging_face.SCHEMAS
    found: dict[str, How] = {
        "": (say("Answers of {}", name), schemas[model.kind], {"inputs": inputs}),
        "/pipeline/feature-extraction": (say("Vectors"), schemas["feature-extraction"], plain),
        "/pipeline/sentence-similarity": (
            say("Similarities to a sentence"), schemas["sentence-similarity"], alike
        ),
    }  # fmt: skip
    if model.kind == "text-classification":
        given = {"inputs": texts if len(texts) > 1 else texts[0]}
        what = say("Answers of {}, as text-embeddings-inference", name)
        found["/predict"] = (what, tei.PredictInput, given)
    return found | {
        "/embed": (say("Vectors"), tei.EmbedInput, plain),
        "/rerank": (say("Texts by how well they go with a query"), tei.RerankInput, query),
        "/similarity": (say("Similarities to a sentence"), hugging_face.SimilarityInput, alike),
        "/tokenize": (say("Tokens"), tei.TokenizeInput, plain),
    }


def _texts(model: Model) -> list[str]:
    """An example of what it reads."""
    return ["What a [MASK] film."] if model.filler else [TEXTS[name] for name in model.reads]


def _tensors(model: Model) -> dict[str, Any]:
    pairs = zip(model.reads, _texts(model), strict=True)
    tensor = {"shape": [1], "datatype": "BYTES"}
    return {"inputs": [{"name": name, **tensor, "data": [text]} for name, text in pairs]}


def _get(summary: str, *, kind: str = JSON) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": _responses(kind)}}


def _responses(kind: str) -> dict[str, Any]:
    fault = {JSON: {"schema": {"$ref": REFERENCES.format(model="Fault")}}}
    done = {"200": {"description": "done", "content": {kind: {}}}}
    return done | {
        str(code): {"description": what, "content": fault} for code, what in FAULTS.items()
    }


def _reference(schema: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    made = deepcopy(_schema(schema))
    schemas.update(made.pop("$defs", {}))
    schemas[schema.__name__] = made
    return {"$ref": REFERENCES.format(model=schema.__name__)}


@cache
def _schema(schema: type[BaseModel]) -> dict[str, Any]:
    return schema.model_json_schema(ref_template=REFERENCES)
