"""explain: texts in, what the model looked at out: attention, and the words its answers rest on.

Attention shows where a model looks, not what its answer rests on (Jain, Wallace 2019); integrated
gradients come with two checks: their completeness, and whether the answer suffers when the words
they name are deleted. A bare encoder (``--model``) has attention only.

Shape legend: L tokens of a window, H width of embeddings, n layers, U words, N inputs at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bertft.encoder.packing import Padder
from bertft.errors import BertftError, ModelError
from bertft.heads.hidden import HiddenStates
from bertft.inside.attention import embedding_score, read_attention, show_inside
from bertft.inside.attribution import (
    attention_rollout,
    faithfulness,
    integrated_gradients,
    word_shares,
)
from bertft.inside.encoders import EncoderRequest, Losses, open_encoder
from bertft.inside.examples import examples_of
from bertft.inside.places import Window, locate
from bertft.inside.targets import Target, targets_of
from bertft.prediction.predictor import Predictor, load
from bertft.prediction.texts import TextRequest, origin, read_texts
from bertft.reports.explain_page import check_page, open_page
from bertft.runs.folder import find_run
from bertft.watch import Watch

MISSED = 0.05
"""Share of a difference of logits, of one at least, that attributions may miss without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """What ``bertft explain`` is asked for.

    ``texts`` are arguments of the command line, ``records`` what Python gives instead (as
    ``Predictor.predict`` takes it).
    ``encoder`` names a run, whose answers are explained, or a model, which has attention only.
    ``baseline`` (mask or pad) stands for "no word". ``delete`` words are taken out to test an
    explanation; None is a fifth of them, and ``draws`` random choices are compared.
    """

    encoder: EncoderRequest
    texts: TextRequest = field(default_factory=lambda: TextRequest(arguments=()))
    records: Sequence[str | Mapping[str, Any]] | None = None
    question: str = ""
    label: str = ""
    word: str = ""
    steps: int = 32
    baseline: str = "mask"
    delete: int | None = None
    draws: int = 10
    attention: bool = False
    out: str = ""
    overwrite: bool = False


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
        yield place | _attention(model, window, encoder.tokenizer) | {"explanations": []}
    losses.tell(extractor.max_length)


def _attention(
    model: PreTrainedModel, window: Window, tokenizer: PreTrainedTokenizerBase
) -> dict[str, Any]:
    """What a result says of a window's tokens."""
    attention = read_attention(model, window.encoded)
    return {
        "parts": dict(window.texts),
        "tokens": tokenizer.convert_ids_to_tokens(list(window.encoded.input_ids)),
        "places": window.places(),
        "rollout": attention_rollout(attention)[-1, 0].round(6).tolist(),
        "attention": attention,
    }


# --- what an answer rests on --------------------------------------------------------------------


def _runs(request: ExplainRequest, *, watch: Watch) -> Iterator[dict[str, Any]]:
    encoder = request.encoder
    if encoder.max_length is not None:
        raise BertftError("--max-length is the run's own", hint="leave it out")
    predictor = load(find_run(encoder.run), device=encoder.device, precision="fp32")
    explainer = Explainer(predictor, request, watch=watch)
    done = cut = 0
    for place, example in examples_of(predictor, request, watch=watch):
        result = explainer.result(example)
        cut += bool(result["answer"].get("truncated"))
        yield place | result
        done += 1
        watch.advance(done, None)
    if cut:
        what = f"{cut} of {done} texts are longer than {predictor.max_length} tokens and were cut"
        watch.note(what)


class Explainer:
    """A trained model set up for explaining: ``result`` takes one example.

    Raises:
        ModelError: it has no token that stands for no word.
    """

    def __init__(self, predictor: Predictor, request: ExplainRequest, *, watch: Watch) -> None:
        self.predictor, self.request, self.watch = predictor, request, watch
        tokenizer = predictor.tokenizer
        self.model = show_inside(predictor.model)
        # What packs sequences into one row is an attention implementation of its own.
        assert isinstance(tokenizer.pad_token_id, int)
        predictor.batcher = Padder(tokenizer.pad_token_id, tokenizer.pad_token_type_id)
        wanted: Any = getattr(tokenizer, f"{request.baseline}_token_id")
        if wanted is None:
            raise ModelError("this model has no mask token", hint="use --baseline pad")
        self.empty = int(wanted)

    def result(self, example: Any) -> dict[str, Any]:
        """See ``explain``; attention is that of the window that the first target is read from."""
        task, request = self.predictor.task, self.request
        (pieces,) = self.predictor.pieces([example])
        answer = task.decode(example, pieces)
        targets = targets_of(task, example, answer, pieces, label=request.label, word=request.word)
        windows = locate(
            [one for one, _ in pieces],
            parts_of(task, example),
            self.predictor.tokenizer,
            overlap=task.options.window_overlap,  # type: ignore[attr-defined]
        )
        shown = targets[0].window if targets else 0
        if not targets:
            self.watch.note(f"{answer['id']}: no entity; --word WORD or --label TYPE explains one")
        if len(windows) > 1:
            what = f"{answer['id']}: read in {len(windows)} windows"
            self.watch.note(f"{what}, of which the one that decides is explained")
        explanations = [self.explanation(one, windows[one.window]) for one in targets]
        for one in explanations:
            self._tell_incomplete(answer["id"], one)
        return {
            "id": answer["id"],
            "answer": answer,
            "window": shown,
            **_attention(self.model, windows[shown], self.predictor.tokenizer),
            "explanations": explanations,
        }

    def _tell_incomplete(self, example: str, one: dict[str, Any]) -> None:
        rise, error = abs(one["logit"] - one["baseline_logit"]), abs(one["error"])
        if error > MISSED * max(1.0, rise):
            what = f"{example}: attributions of {one['target']} miss {error:.2g} of {rise:.2g}"
            self.watch.note(f"{what}; --steps {4 * self.request.steps} comes closer")

    def explanation(self, target: Target, window: Window) -> dict[str, Any]:
        """Attributions of one target, by token and by word, with their two checks."""
        request = self.request
        inputs, baseline = self._embeddings(window)
        logit = embedding_score(self.model, window.encoded, target.logit)
        found = integrated_gradients(logit, inputs, baseline, steps=request.steps)
        words, groups = window.words()
        shares = word_shares(groups, found.values)
        test = faithfulness(
            embedding_score(self.model, window.encoded, target.score),
            inputs,
            baseline,
            groups=groups,
            shares=shares,
            count=request.delete or max(1, round(len(groups) / 5)),
            draws=request.draws,
        )
        return {
            "target": target.name,
            **target.facts,
            "window": target.window,
            "logit": found.score,
            "baseline_logit": found.baseline,
            "error": found.error,
            "words": [
                word | {"attribution": round(float(share), 6)}
                for word, share in zip(words, shares, strict=True)
            ],
            "attributions": found.values.round(6).tolist(),
            "faithfulness": asdict(test),
        }

    def _embeddings(self, window: Window) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings [L, H] of a window, and of the same without words: special tokens stay."""
        ids = torch.tensor(list(window.encoded.input_ids))  # [L]
        empty = torch.where(torch.from_numpy(window.special), ids, self.empty)
        table = self.model.get_input_embeddings()
        with torch.no_grad():
            return table(ids.to(self.model.device)), table(empty.to(self.model.device))


def parts_of(task: Any, example: Any) -> dict[str, str]:
    """The texts that a model reads of an example, by the names they have in answers."""
    if task.name == "qa":
        return {"question": example.question, "context": example.context}
    if getattr(task.options, "pairs", False):
        first, second = getattr(task, "keys", ("text", "text_pair"))
        return {first: example.text, second: example.pair or ""}
    return {"text": example.text}
