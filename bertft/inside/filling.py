"""Texts with [MASK] in, the most probable tokens for each mask out: ``fill-mask``, and a server.

Several masks of a text are filled apart from each other, each as if the others stayed masked.

Shape legend: m masks of a text, k tokens kept for each, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertft.contracts import Answer, Encoded, FloatArray, Pieces
from bertft.errors import BertftError, DataError, ModelError
from bertft.heads.pretraining import MaskedTokens, most_probable
from bertft.inside.encoders import OpenEncoder
from bertft.prediction.certainty import Certainty
from bertft.watch import Watch

MARK = "[MASK]"
"""What stands for the mask in texts, whatever the tokenizer calls it."""
TOP_K = 5
MAX_VALUES = 2**24
"""Probabilities that are in memory at once, unless one text alone has more: V for each mask."""

Token = tuple[int, float]
"""Its id, and its probability."""


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text with masks. ``among``: ids of the tokens that are compared; () is the vocabulary."""

    id: str
    line: int
    text: str
    among: tuple[int, ...] = ()


class Filler:
    """An opened encoder with its masked-LM head, which keeps ``most`` tokens for each mask.

    A server asks it as it asks a Predictor: what it fills is its own task.

    Raises:
        ModelError: the checkpoint carries no masked-LM head.
    """

    name = "fill-mask"
    labels: tuple[str, ...] = ()

    def __init__(self, encoder: OpenEncoder, *, most: int) -> None:
        self.folder: Path = encoder.folder
        self.tokenizer = encoder.tokenizer
        self.mask_id = mask_of(encoder)
        self._head, self._most = MaskedTokens(encoder.name, self.mask_id), most
        self.engine = encoder.extractor(self._head)

    @property
    def task(self) -> Filler:
        return self

    @property
    def max_length(self) -> int:
        return self.engine.max_length

    def example(
        self, record: str | Mapping[str, Any], *, id: str, among: tuple[int, ...] = ()
    ) -> MaskedText:
        """Of one text, as a task makes its examples."""
        text = record if isinstance(record, str) else record["text"]
        return MaskedText(id, 0, text, among)

    def masks(self, text: str) -> int:
        """How many masks stand in a text."""
        return self._marked(text).count(str(self.tokenizer.mask_token))

    def _marked(self, text: str) -> str:
        return text.replace(MARK, str(self.tokenizer.mask_token))

    def encode(self, examples: Sequence[MaskedText]) -> list[Encoded]:
        """One Encoded per text, whose target is ``among``."""
        encoded = self.engine.encode([self._marked(one.text) for one in examples])
        pairs = zip(encoded, examples, strict=True)
        return [
            replace(one, target=list(example.among)) if example.among else one
            for one, example in pairs
        ]

    def logits(self, encoded: Sequence[Encoded]) -> list[FloatArray]:
        """Log probabilities and ids [m, k, 2] of each text, the most probable first."""
        found: list[FloatArray] = []
        for some in self._groups(encoded):
            reduce = most_probable(self._most, among=[one.target for one in some])
            found += self.engine.read(some, readout=replace(self._head, reduce=reduce))
        return found

    def _groups(self, encoded: Sequence[Encoded]) -> Iterator[list[Encoded]]:
        """Texts whose masks fit into memory together."""
        most = MAX_VALUES // int(self.engine.model.config.vocab_size)
        group: list[Encoded] = []
        held = 0
        for one in encoded:
            masks = one.input_ids.count(self.mask_id)
            if group and held + masks > most:
                yield group
                group, held = [], 0
            group.append(one)
            held += masks
        if group:
            yield group

    def check(self, example: MaskedText, one: Encoded, *, file: str = "") -> None:
        """Raise DataError where there is nothing to fill."""
        if self.mask_id in one.input_ids:
            return
        what, hint = "no mask in the text", f"write {MARK} where a word is missing"
        if one.dropped and self.masks(example.text):
            what, hint = "the mask was cut off", "shorten the text, or set --max-length"
        where = file or f"text {example.id}"
        raise DataError(what, path=where, line=example.line, hint=hint)

    def best(
        self, example: MaskedText, pieces: Pieces, *, top_k: int | None = None
    ) -> list[list[Token]]:
        """The most probable tokens of each mask."""
        ((one, rows),) = pieces
        self.check(example, one)
        top_k = top_k or min(TOP_K, self._most)
        if top_k > self._most:
            raise DataError(f"top_k is at most {self._most}")
        return [[(int(id), math.exp(value)) for value, id in row] for row in rows[:, :top_k]]

    def decode(self, example: MaskedText, pieces: Pieces, *, top_k: int | None = None) -> Answer:
        """``masks``: for each mask of a text its ``tokens`` with their probabilities, best first;
        ``filled``: the text with the best ones."""
        ((one, _),) = pieces
        found = self.best(example, pieces, top_k=top_k)
        first = iter(found)
        ids = [next(first)[0][0] if id == self.mask_id else id for id in one.input_ids]
        return {
            "id": example.id,
            "text": example.text,
            "masks": [
                [{"token": self.word(id).strip(), "probability": p} for id, p in tokens]
                for tokens in found
            ],
            "filled": str(self.tokenizer.decode(ids, skip_special_tokens=True)),
            "truncated": one.dropped > 0,
        }

    def word(self, id: int) -> str:
        """A token as it stands in a text."""
        return str(self.tokenizer.decode([id]))

    def rule(self, certainty: Certainty, *, watch: Watch) -> None:
        """Nothing is withheld. Raises BertftError where that is asked for."""
        if certainty:
            raise BertftError("tokens for a mask are not withheld: leave out what asks for it")


def mask_of(encoder: OpenEncoder) -> int:
    """The id of the mask token. Raises ModelError where the tokenizer has none."""
    found = encoder.tokenizer.mask_token_id
    if not isinstance(found, int):
        raise ModelError(f"{encoder.name}: the tokenizer has no mask token")
    return found
