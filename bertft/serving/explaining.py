"""What a prediction rests on, for the page: texts in, words for and against it and attention out.

It is computed by a second copy of the model, which shows its inside, one text at a time and beside
the queue: whoever asks for a prediction does not wait for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from bertft.errors import BertftError
from bertft.serving.bodies import Body, read_body
from bertft.serving.models import Model
from bertft.serving.refused import Refused, as_json
from bertft.serving.service import Service, example
from bertft.watch import Silent

if TYPE_CHECKING:  # it brings torch, which a server of exports has not
    from bertft.inside.explainer import Explainer

MOST_ATTENTION = 16_000_000
"""Attention weights that a browser is sent, a byte each."""


class ExplainInput(Body):
    """The texts that the model reads, in their order."""

    texts: list[str]


async def explain(service: Service, request: Request) -> Response:
    """Explain one prediction; who asks meanwhile is answered by 429."""
    model = service.model(request.path_params["name"])
    body = await read_body(request, ExplainInput, depth=service.limits.json_depth)
    asked = example(model, tuple(body.texts), 1)
    if model.filler is not None:
        raise Refused(422, "there is no prediction to explain: this model fills masks")
    if not model.explains:
        raise Refused(422, "an export has no gradients; serve the run that it was made of")
    if service.explaining:
        raise Refused(429, "another prediction is being explained", "Overloaded", retry=2)
    service.explaining = True
    work = asyncio.ensure_future(asyncio.to_thread(_result, service, model, asked))
    work.add_done_callback(lambda done: _free(service, done))
    return as_json(await asyncio.shield(work))


def _free(service: Service, done: asyncio.Future[Any]) -> None:
    """The thread goes on when its client has left: the next one may ask when it has ended."""
    service.explaining = False
    if not done.cancelled():
        done.exception()


def _result(service: Service, model: Model, asked: Any) -> dict[str, Any]:
    from bertft.inside.explainer import MISSED, missed
    from bertft.reports.explain_page import view_of

    try:
        found = _explainer(service, model).result(asked)
    except BertftError as error:
        raise Refused(422, str(error)) from None
    attention = found["attention"]
    return {
        "parts": found["parts"],
        "windows": found["windows"],
        "targets": [
            {
                "target": one["target"],
                "side": one.get("side"),
                "words": one["words"],
                "missed": missed(one) if missed(one) > MISSED else None,
            }
            for one in found["explanations"]
        ],
        "attention": view_of(found) if attention.size <= MOST_ATTENTION else None,
    }


def _explainer(service: Service, model: Model) -> Explainer:
    """That of the model, which is opened when it is first asked for, and again after a reload."""
    from bertft.inside.explainer import Explainer
    from bertft.inside.request import EncoderRequest, ExplainRequest
    from bertft.prediction.predictor import Predictor

    known = service.explainers.get(model.name)
    if known is None or known[0] is not model:
        predictor = Predictor(model.predictor.folder, device=model.device, precision="fp32")
        predictor.engine.own_memory()
        request = ExplainRequest(encoder=EncoderRequest())
        known = (model, Explainer(predictor, request, watch=Silent()))
        service.explainers[model.name] = known
    found: Explainer = known[1]
    return found
