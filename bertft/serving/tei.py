"""The dialect of text-embeddings-inference: /predict, /embed, /rerank, /similarity, /tokenize and
/info, of the first model, below /models/NAME of any; and OpenAI's /v1/embeddings.

At ``/predict`` ``["a", "b"]`` is one pair, not two texts: a batch is ``[["a"], ["b"]]``.
"""

from __future__ import annotations

import asyncio
import base64
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from bertft.contracts import Answer
from bertft.serving.bodies import Body, read_body
from bertft.serving.hugging_face import labels_of, similarity, truncated
from bertft.serving.models import Model
from bertft.serving.refused import Refused, as_json, as_json_rows
from bertft.serving.service import Service, Texts


class Truncation(Body):
    """``truncate`` false refuses texts that are too long; they are cut at their end."""

    truncate: bool | None = None
    truncation_direction: Literal["right", "Right"] | None = None


class PredictInput(Truncation):
    """A text, a pair ``["a", "b"]``, or a batch of both ``[["a"], ["b", "c"]]``."""

    inputs: str | list[str] | list[list[str]]
    raw_scores: bool = False


class EmbedInput(Truncation):
    inputs: str | list[str]
    normalize: bool = True


class RerankInput(Truncation):
    query: str
    texts: list[str]
    raw_scores: bool = False
    return_text: bool = False


class TokenizeInput(Body):
    inputs: str | list[str]
    add_special_tokens: bool = True


class EmbeddingsInput(Body):
    """As OpenAI's."""

    input: str | list[str]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = None


def _model(service: Service, request: Request) -> Model:
    return service.model(request.path_params.get("name", ""))


async def predict(service: Service, request: Request) -> Response:
    model = _model(service, request)
    body = await read_body(request, PredictInput, depth=service.limits.json_depth)
    if model.kind != "text-classification":
        raise Refused(424, f"model is not a classifier but one of {model.kind}", "Backend")
    if body.raw_scores:
        raise Refused(422, "raw_scores: scores are calibrated probabilities")
    inputs, is_batch = _inputs(body.inputs)
    service.check_count(len(inputs))
    found = await service.answers(model, inputs)
    _check_length(body, any(one["truncated"] for one in found), model.predictor.max_length)
    rows = [_predictions(one) for one in found]
    return as_json(rows if is_batch else rows[0], headers=truncated(found))


def _inputs(given: str | list[str] | list[list[str]]) -> tuple[list[Texts], bool]:
    """The inputs, and whether they are a batch."""
    if isinstance(given, str):
        return [(given,)], False
    if given and isinstance(given[0], str):
        return [tuple(str(one) for one in given)], False
    return [tuple(one) for one in given], True


def _predictions(answer: Answer) -> list[dict[str, Any]]:
    return [{"score": one["score"], "label": one["label"]} for one in labels_of(answer)]


def _check_length(body: Truncation, cut: bool, longest: int) -> None:
    if cut and body.truncate is False:
        what = f"inputs must have at most {longest} tokens"
        raise Refused(422, what, "Tokenization")


async def embed(service: Service, request: Request) -> Response:
    model = _model(service, request)
    body = await read_body(request, EmbedInput, depth=service.limits.json_depth)
    texts = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    service.check_count(len(texts))
    found = await service.vectors(model, texts, unit=body.normalize)
    _check_length(body, bool(found.cut), model.vectors.max_length)
    headers = {"x-truncated": str(found.cut)} if found.cut else None
    return await as_json_rows(found.vectors, headers=headers)


async def embeddings(service: Service, request: Request) -> Response:
    body = await read_body(request, EmbeddingsInput, depth=service.limits.json_depth)
    model = service.model(body.model)
    texts = body.input if isinstance(body.input, list) else [body.input]
    service.check_count(len(texts), most=service.limits.batch_texts)
    found = await service.vectors(model, texts, unit=True)

    def shown(row: Any) -> Any:
        if body.encoding_format == "float":
            return row.tolist()
        return base64.b64encode(row.astype(np.dtype("<f4")).tobytes()).decode()

    data = [
        {"object": "embedding", "index": index, "embedding": shown(row)}
        for index, row in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    headers = {"x-truncated": str(found.cut)} if found.cut else None
    content = {"object": "list", "data": data, "model": model.name, "usage": usage}
    return as_json(content, headers=headers)


async def rerank(service: Service, request: Request) -> Response:
    """By a model that gives pairs a number; of any other by the similarity of its vectors."""
    model = _model(service, request)
    body = await read_body(request, RerankInput, depth=service.limits.json_depth)
    service.check_count(len(body.texts))
    if body.raw_scores:
        raise Refused(422, "raw_scores: scores are those of the model, or similarities")
    if ranks_pairs(model):
        found = await service.answers(model, [(body.query, one) for one in body.texts])
        _check_length(body, any(one["truncated"] for one in found), model.predictor.max_length)
        scores = [one["value"] for one in found]
    else:
        scores = await service.similarities(model, body.query, body.texts)
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    ranks = [
        {"index": index, "score": scores[index]}
        | ({"text": body.texts[index]} if body.return_text else {})
        for index in order
    ]
    return as_json(ranks)


def ranks_pairs(model: Model) -> bool:
    """Whether it was trained to give two texts a number."""
    return model.kind == "text-classification" and not model.task.labels and len(model.reads) == 2


async def compare(service: Service, request: Request) -> Response:
    return await similarity(service, _model(service, request), request)


async def tokenize(service: Service, request: Request) -> Response:
    """Tokens with their places in the text; ``text`` is what the tokenizer calls them."""
    model = _model(service, request)
    body = await read_body(request, TokenizeInput, depth=service.limits.json_depth)
    texts = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    service.check_count(len(texts))
    return as_json(await asyncio.to_thread(_tokens, model.tokenizer, texts, body))


def _tokens(tokenizer: Any, texts: list[str], body: TokenizeInput) -> list[list[dict[str, Any]]]:
    found = tokenizer(texts, add_special_tokens=body.add_special_tokens, verbose=False)
    return [
        [
            {
                "id": token,
                "text": text,
                "special": bool(special),
                "start": None if special else start,
                "stop": None if special else end,
            }
            for token, text, special, (start, end) in zip(
                one.ids, one.tokens, one.special_tokens_mask, one.offsets, strict=True
            )
        ]
        for one in found.encodings
    ]


def info_of(service: Service, model: Model) -> dict[str, Any]:
    """What ``/info`` says of a model."""
    limits, labels = service.limits, model.task.labels
    kind: dict[str, Any] = {"embedding": {"pooling": "as bertft embed"}}
    if labels:
        names = {str(number): name for number, name in enumerate(labels)}
        ids = {name: number for number, name in enumerate(labels)}
        kind = {"classifier": {"id2label": names, "label2id": ids}}
    elif ranks_pairs(model):
        kind = {"reranker": {"id2label": {"0": "value"}, "label2id": {"value": 0}}}
    return {
        "model_id": model.name,
        "model_sha": None,
        "model_dtype": model.predictor.engine.precision,
        "model_type": kind,
        "task": model.kind,
        "mask_token": model.mask,
        "models": service.models.names,
        "max_concurrent_requests": limits.queue,
        "max_input_length": model.predictor.max_length,
        "max_batch_tokens": limits.batch_tokens,
        "max_client_batch_size": limits.texts,
        "auto_truncate": True,
        "version": version("bertft"),
    }


async def info(service: Service, request: Request) -> Response:
    return as_json(info_of(service, _model(service, request)))
