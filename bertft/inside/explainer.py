"""What an answer rests on: an example and a trained model in; attributions and checks out.

Attention shows where a model looks, not what its answer rests on (Jain, Wallace 2019); integrated
gradients come with two checks: their completeness, and whether the answer suffers when the words
they name are deleted.

Shape legend: L tokens of a window, H width of embeddings, n layers, U words, N inputs at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bertft.encoder.packing import Padder
from bertft.engines.on_torch import TorchEngine
from bertft.errors import ModelError
from bertft.inside.attention import embedding_score, read_attention, show_inside
from bertft.inside.attribution import (
    attention_rollout,
    faithfulness,
    integrated_gradients,
    word_shares,
)
from bertft.inside.places import Window, locate
from bertft.inside.request import ExplainRequest
from bertft.inside.targets import Target, targets_of
from bertft.prediction.predictor import Predictor
from bertft.watch import Watch

MISSED = 0.05
"""What attributions may miss (``missed``) without a word."""


def attention_of(
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


class Explainer:
    """A trained model set up for explaining: ``result`` takes one example.

    Raises:
        ModelError: it has no token that stands for no word.
    """

    def __init__(self, predictor: Predictor, request: ExplainRequest, *, watch: Watch) -> None:
        self.predictor, self.request, self.watch = predictor, request, watch
        tokenizer, engine = predictor.tokenizer, predictor.engine
        if not isinstance(engine, TorchEngine):
            what = f"{predictor.folder} is an export, which has no gradients"
            raise ModelError(what, hint="explain the run that it was made of")
        self.model = show_inside(engine.model)
        # What packs sequences into one row is an attention implementation of its own.
        assert isinstance(tokenizer.pad_token_id, int)
        engine.batcher = Padder(tokenizer.pad_token_id, tokenizer.pad_token_type_id)
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
            "windows": len(windows),
            **attention_of(self.model, windows[shown], self.predictor.tokenizer),
            "explanations": explanations,
        }

    def _tell_incomplete(self, example: str, one: dict[str, Any]) -> None:
        if missed(one) > MISSED:
            rise, error = abs(one["logit"] - one["baseline_logit"]), abs(one["error"])
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


def missed(explanation: Mapping[str, Any]) -> float:
    """The share of a difference of logits, of one at least, that attributions do not add up to."""
    rise = abs(explanation["logit"] - explanation["baseline_logit"])
    return abs(float(explanation["error"])) / max(1.0, float(rise))


def parts_of(task: Any, example: Any) -> dict[str, str]:
    """The texts that a model reads of an example, by the names they have in answers."""
    if task.name == "qa":
        return {"question": example.question, "context": example.context}
    if getattr(task.options, "pairs", False):
        first, second = getattr(task, "keys", ("text", "text_pair"))
        return {first: example.text, second: example.pair or ""}
    return {"text": example.text}
