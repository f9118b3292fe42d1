"""embed: texts in, vectors of the encoder's layers out, per token, word or sentence.

Sentence vectors are pooled as the model's folder says (sentence-transformers' files), else by the
mean of all tokens. ``cls`` is the pooler's output, tanh(W h + b) of the first token's last state,
and refused where the weights hold no pooler; ``cls_before_pooler`` is that state itself.

Shape legend: N texts, L tokens or words of one, n layers, H hidden width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from bertft.contracts import Encoded, FloatArray, Readout
from bertft.encoder.load import read_config
from bertft.encoder.sentence import Pooling, SentenceRule, sentence_rule
from bertft.errors import BertftError
from bertft.heads.hidden import Combine, HiddenStates, PoolerOutput, TokenPooling
from bertft.inside.encoders import Losses, OpenEncoder
from bertft.inside.hidden import Extractor
from bertft.inside.vector_files import Layout
from bertft.tasks.text_rows import TextExample

WINDOW = 2048
"""Texts that are sorted by length together."""
MAX_VALUES = 2**25
"""Numbers of one window of token vectors: 128 MiB of float32."""

Level = Literal["sentence", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is read of an encoder. ``pooling``, ``normalize`` and ``prompt`` None: as the folder
    says for sentences, else mean, False and ""."""

    level: Level = "sentence"
    words: bool = False
    pooling: Pooling | None = None
    layers: str = "last"
    combine: Combine = "none"
    normalize: bool | None = None
    prompt: str | None = None


class Embedder:
    """An opened encoder with a View: texts in, vectors out."""

    def __init__(self, encoder: OpenEncoder, view: View) -> None:
        check_view(view)
        by_token = view.level == "token"
        rule = SentenceRule() if by_token else _rule(encoder, view)
        pooling = view.pooling or rule.pooling
        config: Any = read_config(encoder.folder)
        last = int(config.num_hidden_layers)
        self.layers = choose_layers(view.layers, last=last)
        self.view = view
        self.normalize = rule.normalize if view.normalize is None else view.normalize
        self.prompt = rule.prompt if view.prompt is None else view.prompt
        self.rule = rule
        readout = _readout(view, pooling, layers=self.layers, last=last, model=encoder.name)
        self.extractor: Extractor = encoder.extractor(readout, max_length=rule.max_length)
        self.layout = Layout(
            _shape(view, self.layers, int(config.hidden_size)), self.layers, by_token
        )
        what = f"{pooling}, as its folder says" if rule.given and not view.pooling else pooling
        self.description = "" if by_token else f"pooling: {what}"
        self.description += ", vectors of length 1" if self.normalize and self.description else ""
        if pooling == "cls" and rule.given:
            self.description += "; this model was trained past its pooler"

    def encode(self, texts: Sequence[str], *, prompt: str | None = None) -> list[Encoded]:
        """Texts with ``prompt`` before each, that of the view where it is None."""
        before = self.prompt if prompt is None else prompt
        return self.extractor.encode([before + text for text in texts])

    def vectors(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        """[...] of each text, or [L, ...] per token; scaled to length 1 where that is asked for."""
        found = self.extractor.read(encoded)
        return [unit_length(one) for one in found] if self.normalize else found


def sentence_windows(
    examples: Iterable[tuple[str, TextExample]], embedder: Embedder, losses: Losses
) -> Iterator[tuple[list[tuple[str, TextExample]], FloatArray]]:
    """Windows of (file, example) with their sentence vectors [w, ...]."""
    for window in encoded_windows(examples, embedder, losses):
        vectors = embedder.vectors([one for _, _, one in window])
        yield [(file, example) for file, example, _ in window], np.stack(vectors)


def encoded_windows(
    examples: Iterable[tuple[str, TextExample]], embedder: Embedder, losses: Losses
) -> Iterator[list[tuple[str, TextExample, Encoded]]]:
    """Encoded texts in windows whose vectors fit into memory."""
    width = int(np.prod(embedder.layout.shape))
    remaining = iter(examples)
    while chunk := list(islice(remaining, WINDOW)):
        encoded = embedder.encode([example.text for _, example in chunk])
        losses.see([example.text for _, example in chunk], encoded)
        window: list[tuple[str, TextExample, Encoded]] = []
        values = 0
        for (file, example), one in zip(chunk, encoded, strict=True):
            size = width * (len(one) if embedder.layout.by_token else 1)
            if window and values + size > MAX_VALUES:
                yield window
                window, values = [], 0
            window.append((file, example, one))
            values += size
        yield window


# --- views --------------------------------------------------------------------------------------


def check_view(view: View) -> None:
    """Raise BertftError for settings that contradict each other."""
    if view.words and view.level != "token":
        raise BertftError("--words goes with vectors per token", hint="add --level token")
    if view.level == "token" and view.pooling:
        raise BertftError("--pooling makes one vector of a text", hint="leave out --level token")
    if view.level == "token" and view.prompt:
        raise BertftError("--prompt goes with sentence vectors", hint="leave it out")
    if view.pooling == "cls" and view.layers not in ("last", "-1"):
        hint = "use --pooling cls_before_pooler for other layers"
        raise BertftError("the pooler reads the last layer only", hint=hint)


def choose_layers(wanted: str, *, last: int) -> tuple[int, ...]:
    """Layer numbers, 0 (embeddings) to ``last``: ``last``, ``all``, ``0,6,12`` or ``-4:``.

    Negative numbers count from the end, and a slice ``a:b`` ends before b, as in Python.

    Raises:
        BertftError: not of this form, or no such layer.
    """
    numbers = range(last + 1)
    hint = f"layers are 0 (embeddings) to {last}: last, all, 0,{last} or -4:"
    try:
        if wanted in ("last", "all"):
            return (last,) if wanted == "last" else tuple(numbers)
        if ":" in wanted:
            first, end = (int(part) if part.strip() else None for part in wanted.split(":"))
            chosen = tuple(numbers[first:end])
        else:
            chosen = tuple(numbers[int(part)] for part in wanted.split(","))
    except (ValueError, IndexError):
        raise BertftError(f"layers {wanted}: no such layers", hint=hint) from None
    if not chosen:
        raise BertftError(f"layers {wanted}: no such layers", hint=hint)
    return chosen


def unit_length(vectors: FloatArray) -> FloatArray:
    """Vectors [..., W] scaled to length 1; those of length 0 are left alone."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _rule(encoder: OpenEncoder, view: View) -> SentenceRule:
    """The folder's rule; none where it cannot be followed and a pooling was chosen instead."""
    try:
        return sentence_rule(encoder.folder)
    except BertftError:
        if view.pooling is None:
            raise
        return SentenceRule()


def _readout(
    view: View, pooling: Pooling, *, layers: tuple[int, ...], last: int, model: str
) -> Readout:
    if view.level == "sentence" and pooling == "cls":
        return PoolerOutput(model)
    names: dict[Pooling, TokenPooling] = {
        "cls_before_pooler": "first", "cls": "first", "mean": "mean", "max": "max",
    }  # fmt: skip
    over = "none" if view.level == "token" else names[pooling]
    return HiddenStates(None if layers == (last,) else layers, view.combine, over)


def _shape(view: View, layers: tuple[int, ...], hidden: int) -> tuple[int, ...]:
    """The shape of one vector."""
    if len(layers) == 1 or view.combine == "mean":
        return (hidden,)
    return (len(layers) * hidden,) if view.combine == "concat" else (len(layers), hidden)
