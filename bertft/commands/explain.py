"""explain: texts in, what the model looked at out: attention, and the words its answers rest on.

Attention shows where a model looks, not what its answer rests on (Jain, Wallace 2019); integrated
gradients come with two checks: their completeness, and whether the answer suffers when the words
they name are deleted. A bare encoder (``--model``) has attention only.

Shape legend: L tokens of a window, H width of embeddings, n layers, U words, N inputs at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bertft.errors import BertftError
from bertft.heads.hidden import HiddenStates
from bertft.inside.attention import show_inside
from bertft.inside.encoders import Losses, open_encoder
from bertft.inside.examples import examples_of
from bertft.inside.explainer import Explainer, attention_of
from bertft.inside.places import locate
from bertft.inside.request import ExplainRequest
from bertft.prediction.predictor import load
from bertft.prediction.texts import origin, read_texts
from bertft.reports.explain_page import check_page, open_page
from bertft.runs.folder import find_run
from bertft.watch import Watch
from bertft.words import cut_texts


def explain(request: ExplainRequest, *, watch: Watch) -> Iterator[dict[str, Any]]:
    """One result per text, in order; with ``out`` a page of all of them is written at the end.

    A result has ``id``, ``parts`` (the texts), ``answer``, ``tokens``, ``places`` ([part, start,
    end] of each token, null for special ones), ``rollout`` [L] (from the first token),
    ``explanations`` and, if asked for, ``attention`` [n, heads, L, L]. An explanation has
    ``target``, ``logit``, ``baseline_logit``, ``error`` (completeness), ``words`` (text, part,
    start, end, attribution), ``attributions`` [L] and ``faithfulness``.

    Raises:
        BertftError: options that do not fit the task, or an output of another kind.
    """
    if isinstance(request.records, str):
        raise TypeError("explain takes a list of texts, not one text")
    for option in ("question", "label", "word"):
        if getattr(request, option) and not request.encoder.run:
            hint = "give the run with --run; a bare encoder shows its attention only"
            raise BertftError(f"--{option} needs a run", hint=hint)
    check_page(request.out)
    results = _runs(request, watch=watch) if request.encoder.run else _bare(request, watch=watch)
    return _written(results, request, watch=watch)


def _written(
    results: Iterator[dict[str, Any]], request: ExplainRequest, *, watch: Watch
) -> Iterator[dict[str, Any]]:
    """Results as they come, without attention unless it is asked for; the page has it."""
    with open_page(request.out, overwrite=request.overwrite, watch=watch) as add:
        for one in results:
            add(one)
            attention = one.pop("attention")
            yield one | (
                {"attention": np.round(attention, 5).tolist()} if request.attention else {}
            )


def _bare(request: ExplainRequest, *, watch: Watch) -> Iterator[dict[str, Any]]:
    """Attention alone, of an encoder without a task."""
    encoder = open_encoder(request.encoder)
    extractor = encoder.extractor(HiddenStates())
    model = show_inside(extractor.model)
    losses = Losses(encoder, watch=watch)
    watch.note(f"model: {encoder.name}; attention only, since only a run has answers to explain")
    for file, example in read_texts(request.texts, watch=watch):
        encoded = extractor.encode([example.text])
        losses.see([example.text], encoded)
        (window,) = locate(encoded, {"text": example.text}, encoder.tokenizer, overlap=0)
        place = origin(file, example, request=request.texts)
        yield place | attention_of(model, window, encoder.tokenizer) | {"explanations": []}
    losses.tell(extractor.max_length)


# --- what an answer rests on --------------------------------------------------------------------


def _runs(request: ExplainRequest, *, watch: Watch) -> Iterator[dict[str, Any]]:
    encoder = request.encoder
    if encoder.max_length is not None:
        raise BertftError("--max-length is the run's own", hint="leave it out")
    predictor = load(find_run(encoder.run), device=encoder.device, precision="fp32")
    explainer = Explainer(predictor, request, watch=watch)
    done = cut = 0
    watch.advance(0, None, what="explained")
    for place, example in examples_of(predictor, request, watch=watch):
        result = explainer.result(example)
        cut += bool(result["answer"].get("truncated"))
        yield place | result
        done += 1
        watch.advance(done, None, what="explained")
    if cut:
        watch.note(cut_texts(cut, of=done, longest=predictor.max_length))
