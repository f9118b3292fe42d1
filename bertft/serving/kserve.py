"""The Open Inference Protocol (KServe v2): health, metadata, and infer with BYTES tensors.

Inputs are tensors of one dimension named as what the model reads ("text"; "premise" and
"hypothesis"; "question" and "context"). The output ``answer`` holds the JSON that ``bertft
predict`` (``fill-mask`` of a model with that head) writes of each. ``parameters`` may have top_k,
min_confidence, target_accuracy, coverage.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from bertft.prediction.certainty import Certainty
from bertft.serving.bodies import Body, read_body
from bertft.serving.masks import check_count
from bertft.serving.models import Model
from bertft.serving.refused import Refused, as_json
from bertft.serving.service import Service, Texts


class Tensor(Body):
    """Texts, one after the other."""

    name: str
    shape: list[int]
    datatype: Literal["BYTES"]
    data: list[str]
    parameters: dict[str, Any] = Field(default_factory=dict)


class InferParameters(Body):
    top_k: int | None = Field(default=None, ge=1)
    min_confidence: float | None = Field(default=None, gt=0, lt=1)
    target_accuracy: float | None = Field(default=None, gt=0, lt=1)
    coverage: float | None = Field(default=None, gt=0, lt=1)


class WantedOutput(Body):
    name: Literal["answer"]
    parameters: dict[str, Any] = Field(default_factory=dict)


class InferInput(Body):
    inputs: list[Tensor] = Field(min_length=1, max_length=2)
    id: str | None = Field(default=None, max_length=200)
    parameters: InferParameters = Field(default_factory=InferParameters)
    outputs: list[WantedOutput] | None = None


async def server(_service: Service, _request: Request) -> Response:
    return as_json({"name": "bertft", "version": version("bertft"), "extensions": []})


async def metadata(service: Service, request: Request) -> Response:
    model = service.model(request.path_params["name"])
    tensor = {"datatype": "BYTES", "shape": [-1]}
    return as_json(
        {
            "name": model.name,
            "versions": ["1"],
            "platform": "bertft",
            "inputs": [{"name": name, **tensor} for name in model.reads],
            "outputs": [{"name": "answer", **tensor}],
        }
    )


async def model_ready(service: Service, request: Request) -> Response:
    return as_json({"name": service.model(request.path_params["name"]).name, "ready": True})


async def infer(service: Service, request: Request) -> Response:
    model = service.model(request.path_params["name"])
    body = await read_body(request, InferInput, depth=service.limits.json_depth)
    inputs = _inputs(model, body)
    service.check_count(len(inputs), most=service.limits.batch_texts)
    asked = body.parameters
    certainty = Certainty(
        min_confidence=asked.min_confidence,
        target_accuracy=asked.target_accuracy,
        coverage=asked.coverage,
    )
    rule = service.rule(model, certainty)
    if model.filler is not None:
        check_count(model.filler, [text for (text,) in inputs], asked.top_k)
    found = await service.answers(model, inputs, top_k=asked.top_k, rule=rule)
    data = [json.dumps(one, ensure_ascii=False) for one in found]
    content = {
        "model_name": model.name,
        "model_version": "1",
        "outputs": [{"name": "answer", "datatype": "BYTES", "shape": [len(data)], "data": data}],
    }
    return as_json(content | ({"id": body.id} if body.id is not None else {}))


def _inputs(model: Model, body: InferInput) -> list[Texts]:
    """The texts of all tensors, beside each other. Raises Refused."""
    tensors = {one.name: one for one in body.inputs}
    if set(tensors) != set(model.reads) or len(tensors) < len(body.inputs):
        raise Refused(422, f"inputs: this model reads {' and '.join(model.reads)}")
    columns = [tensors[name] for name in model.reads]
    for one in columns:
        if one.shape != [len(one.data)]:
            raise Refused(422, f"inputs.{one.name}: the shape is [{len(one.data)}]")
    if len({len(one.data) for one in columns}) > 1:
        raise Refused(422, "inputs: the tensors are of different lengths")
    return list(zip(*(one.data for one in columns), strict=True))
