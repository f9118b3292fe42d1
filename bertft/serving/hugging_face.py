"""The dialect of Hugging Face Inference: POST to ``/`` or ``/models/NAME``, ``{"inputs": ...}``.

The task is the model's own (of one with a masked-LM head fill-mask);
``/models/NAME/pipeline/feature-extraction`` and ``.../sentence-similarity`` ask its encoder. A
parameter that would change what a model computes is refused, never left unheard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from bertft.contracts import Answer
from bertft.serving.bodies import Body, read_body
from bertft.serving.masks import fills
from bertft.serving.models import FILL, MOST_TOKENS, Model
from bertft.serving.refused import Refused, as_json, as_json_rows
from bertft.serving.service import Service, Texts

Options = dict[str, Any]
"""``wait_for_model`` and the like, of older clients: there is nothing to wait for."""


class TextPair(Body):
    """Two texts of a model that compares them."""

    text: str
    text_pair: str


class ClassificationParameters(Body):
    top_k: int | None = Field(default=None, ge=1)
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = None


class ClassificationInput(Body):
    """A text, a pair, or several of them."""

    inputs: str | TextPair | list[str | TextPair]
    parameters: ClassificationParameters = Field(default_factory=ClassificationParameters)
    options: Options = Field(default_factory=dict)


class TokenParameters(Body):
    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] | None = None
    ignore_labels: list[str] | None = None


class TokenInput(Body):
    """A text, or several."""

    inputs: str | list[str]
    parameters: TokenParameters = Field(default_factory=TokenParameters)
    options: Options = Field(default_factory=dict)


class QuestionAndContext(Body):
    question: str
    context: str


class QuestionParameters(Body):
    top_k: int | None = Field(default=None, ge=1, le=100)
    handle_impossible_answer: bool | None = None


class QuestionInput(Body):
    """A question and the passage that answers it."""

    inputs: QuestionAndContext
    parameters: QuestionParameters = Field(default_factory=QuestionParameters)
    options: Options = Field(default_factory=dict)


class FillParameters(Body):
    top_k: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    targets: list[str] = Field(default_factory=list, max_length=MOST_TOKENS)


class FillInput(Body):
    """A text with [MASK] where a word is missing, or several."""

    inputs: str | list[str]
    parameters: FillParameters = Field(default_factory=FillParameters)
    options: Options = Field(default_factory=dict)


class FeatureParameters(Body):
    normalize: bool | None = None
    truncate: bool | None = None


class FeatureInput(Body):
    """A text, or several, whose vectors are asked for."""

    inputs: str | list[str]
    parameters: FeatureParameters = Field(default_factory=FeatureParameters)
    options: Options = Field(default_factory=dict)


class Sentences(Body):
    source_sentence: str
    sentences: list[str]


class SimilarityInput(Body):
    """A sentence, and those that it is compared with."""

    inputs: Sentences
    parameters: dict[str, None] = Field(default_factory=dict)
    options: Options = Field(default_factory=dict)


SCHEMAS: Mapping[str, type[Body]] = {
    "text-classification": ClassificationInput,
    "token-classification": TokenInput,
    "question-answering": QuestionInput,
    FILL: FillInput,
    "feature-extraction": FeatureInput,
    "sentence-similarity": SimilarityInput,
}


async def infer(service: Service, request: Request) -> Response:
    """Answer by the task of the model, or by the one that the path names."""
    model = service.model(request.path_params.get("name", ""))
    task = request.path_params.get("task", model.kind)
    if task in ("feature-extraction", "sentence-similarity"):
        return await _ENCODER[task](service, model, request)
    if task != model.kind:
        what = "it has no masked-LM head" if task == FILL else "no pipeline of that name"
        hint = f"this model's are {model.kind}, feature-extraction, sentence-similarity"
        raise Refused(404, f"{what}; {hint}")
    return await _HEAD[task](service, model, request)


async def _classify(service: Service, model: Model, request: Request) -> Response:
    body = await read_body(request, ClassificationInput, depth=service.limits.json_depth)
    _check_function(model, body.parameters.function_to_apply)
    inputs = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    service.check_count(len(inputs))
    found = await service.answers(
        model, [_texts(one) for one in inputs], top_k=body.parameters.top_k
    )
    return as_json([labels_of(one) for one in found], headers=truncated(found))


def _texts(one: str | TextPair) -> Texts:
    return (one,) if isinstance(one, str) else (one.text, one.text_pair)


def labels_of(answer: Answer) -> list[dict[str, Any]]:
    """Labels with their probabilities, the most probable first; of a regression its number."""
    if "value" in answer:
        return [{"label": "value", "score": answer["value"]}]
    return [{"label": name, "score": p} for name, p in answer["scores"].items()]


def _check_function(model: Model, asked: str | None) -> None:
    options = getattr(model.task, "options", None)
    own = "sigmoid" if getattr(options, "multi_label", False) else "softmax"
    own = own if model.task.labels else "none"
    if asked not in (None, own):
        raise Refused(422, f"parameters.function_to_apply: this model's is {own}")


async def _tag(service: Service, model: Model, request: Request) -> Response:
    body = await read_body(request, TokenInput, depth=service.limits.json_depth)
    if body.parameters.aggregation_strategy == "none":
        raise Refused(422, "parameters.aggregation_strategy: this model gives whole entities")
    texts = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    service.check_count(len(texts))
    found = await service.answers(model, [(one,) for one in texts])
    ignored = set(body.parameters.ignore_labels or ())
    rows = [
        [
            {
                "entity_group": one["label"],
                "score": one["score"],
                "word": one["text"],
                "start": one["start"],
                "end": one["end"],
            }
            for one in answer["entities"]
            if one["label"] not in ignored
        ]
        for answer in found
    ]
    is_one = isinstance(body.inputs, str)
    return as_json(rows[0] if is_one else rows, headers=truncated(found))


async def _ask(service: Service, model: Model, request: Request) -> Response:
    body = await read_body(request, QuestionInput, depth=service.limits.json_depth)
    asked, parameters = body.inputs, body.parameters
    top_k = parameters.top_k or 1
    (answer,) = await service.answers(model, [(asked.question, asked.context)], top_k=top_k)
    names = ("answer", "score", "start", "end")
    spans = [{name: one[name] for name in names} for one in answer["answers"]]
    if parameters.handle_impossible_answer is not False:  # the best is what predict says
        spans[:1] = [{name: answer[name] for name in names}]
    shown = spans[0] if top_k == 1 else spans
    return as_json(shown, headers=truncated([answer]))


async def _fill(service: Service, model: Model, request: Request) -> Response:
    body = await read_body(request, FillInput, depth=service.limits.json_depth)
    texts = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    service.check_count(len(texts))
    asked = body.parameters
    found = await fills(service, model, texts, top_k=asked.top_k, targets=asked.targets)
    rows = [masks[0] if len(masks := one["masks"]) == 1 else masks for one in found]
    is_one = isinstance(body.inputs, str)
    return as_json(rows[0] if is_one else rows, headers=truncated(found))


async def _features(service: Service, model: Model, request: Request) -> Response:
    body = await read_body(request, FeatureInput, depth=service.limits.json_depth)
    texts = body.inputs if isinstance(body.inputs, list) else [body.inputs]
    service.check_count(len(texts))
    found = await service.vectors(model, texts, unit=bool(body.parameters.normalize))
    if found.cut and body.parameters.truncate is False:
        raise Refused(422, "a text has more tokens than the model reads", "Tokenization")
    headers = {"x-truncated": str(found.cut)} if found.cut else None
    if isinstance(body.inputs, str):
        return as_json(found.vectors[0].tolist(), headers=headers)
    return await as_json_rows(found.vectors, headers=headers)


async def similarity(service: Service, model: Model, request: Request) -> Response:
    """Cosine similarities; TEI's ``/similarity`` is the same."""
    body = await read_body(request, SimilarityInput, depth=service.limits.json_depth)
    service.check_count(len(body.inputs.sentences))
    found = await service.similarities(model, body.inputs.source_sentence, body.inputs.sentences)
    return as_json(found)


_HEAD = {
    "text-classification": _classify,
    "token-classification": _tag,
    "question-answering": _ask,
    FILL: _fill,
}
_ENCODER = {"feature-extraction": _features, "sentence-similarity": similarity}


def truncated(answers: list[Answer]) -> dict[str, str] | None:
    """The header that says how many texts were longer than the model reads."""
    cut = sum(bool(one.get("truncated")) for one in answers)
    return {"x-truncated": str(cut)} if cut else None
