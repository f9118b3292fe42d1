"""The encoder that a verb looks into: a name, a folder or a run in, an opened encoder out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bertft.contracts import Encoded, Readout
from bertft.encoder.load import (
    check_folder,
    decomposes_hangul,
    load_encoder,
    load_reader,
    load_tokenizer,
    positions_of,
)
from bertft.errors import ModelError
from bertft.inside.request import EncoderRequest
from bertft.runs.folder import find_run, model_folder
from bertft.runs.stored import CARD, read_card
from bertft.settings import ModelSettings
from bertft.watch import Watch
from bertft.words import cut_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from bertft.inside.hidden import Extractor
    from bertft.training.runtime import Runtime

LONGEST = 512
"""Tokens of a text unless the folder, the run or --max-length says otherwise."""


@dataclass(frozen=True, slots=True)
class OpenEncoder:
    """An encoder that was found, and what it says about itself; no weights are loaded yet."""

    name: str
    folder: Path
    tokenizer: PreTrainedTokenizerBase
    asked_length: int | None
    runtime: Runtime | None = None
    """Where it computes; None where texts are only read."""

    def extractor(self, readout: Readout, *, max_length: int | None = None) -> Extractor:
        """The model with this readout; ``max_length`` is the folder's own wish, if it has one."""
        from bertft.inside.hidden import Extractor

        assert self.runtime is not None
        return Extractor(
            self.folder,
            self.tokenizer,
            readout=readout,
            max_length=self.length(max_length),
            runtime=self.runtime,
        )

    def length(self, wish: int | None = None) -> int:
        """Tokens to read: those asked for, else the run's, the folder's, at most LONGEST.

        Raises:
            ModelError: more are asked for than the encoder has positions.
        """
        positions = positions_of(self.folder)
        if self.asked_length is not None:
            if positions is not None and self.asked_length > positions:
                reason = f"--max-length is {self.asked_length}, but the encoder has {positions}"
                raise ModelError(reason, hint=f"use --max-length {positions}")
            return self.asked_length
        if wish is None and (self.folder / CARD).is_file():
            wish = int(read_card(self.folder)["max_length"])
        return min(wish or LONGEST, positions or LONGEST)


def open_encoder(request: EncoderRequest) -> OpenEncoder:
    """Find the encoder, load its tokenizer, and choose where it computes.

    Raises:
        ModelError: no such model, or an incomplete one. RunError: no such run.
        DeviceError: a device or precision that is not there.
    """
    from bertft.training.runtime import choose_runtime

    runtime = choose_runtime(device=request.device, precision=request.precision)
    return replace(_open(request, weights=True), runtime=runtime)


def open_reader(request: EncoderRequest) -> OpenEncoder:
    """As ``open_encoder``, for who only reads texts: neither weights nor torch are needed."""
    return _open(request, weights=False)


def _open(request: EncoderRequest, *, weights: bool) -> OpenEncoder:
    if request.run:
        folder = model_folder(find_run(request.run))
        check_folder(folder, weights=weights)
        return OpenEncoder(request.run, folder, load_tokenizer(folder), request.max_length)
    name = request.model or ModelSettings().name
    load = load_encoder if weights else load_reader
    found = load(ModelSettings(name=name), offline=request.offline)
    return OpenEncoder(name, found.folder, found.tokenizer, request.max_length)


class Losses:
    """Counts the texts that are cut, and says once that Hangul is taken apart."""

    def __init__(self, encoder: OpenEncoder, *, watch: Watch) -> None:
        self._encoder, self._watch = encoder, watch
        self._splits_hangul = decomposes_hangul(encoder.tokenizer)
        self.texts = self.cut = 0

    def see(self, texts: Sequence[str], encoded: Iterable[Encoded]) -> None:
        """Take note of texts and what was made of them."""
        self.texts += len(texts)
        self.cut += sum(one.dropped > 0 for one in encoded)
        if self._splits_hangul and any(map(_has_hangul, texts)):
            self._splits_hangul = False
            what = f"{self._encoder.name} splits Hangul into jamo, which it was not trained on"
            self._watch.note(f"{what}; 'bertft models list --language ko' names others")

    def tell(self, max_length: int) -> None:
        """Say how many texts were cut."""
        if self.cut:
            self._watch.note(cut_texts(self.cut, of=self.texts, longest=max_length))


def _has_hangul(text: str) -> bool:
    return any("가" <= character <= "힣" for character in unicodedata.normalize("NFC", text))
