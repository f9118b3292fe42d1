"""The encoder that a verb looks into: a name, a folder or a run in, an opened encoder out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from bertft.contracts import Encoded, Readout
from bertft.encoder.load import (
    check_folder,
    decomposes_hangul,
    load_encoder,
    load_tokenizer,
    positions_of,
)
from bertft.errors import ModelError
from bertft.inside.hidden import Extractor
from bertft.runs.folder import find_run, model_folder
from bertft.runs.stored import CARD, read_card
from bertft.settings import ModelSettings
from bertft.training.runtime import Runtime, choose_runtime
from bertft.watch import Watch

LONGEST = 512
"""Tokens of a text unless the folder, the run or --max-length says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderRequest:
    """Which encoder; ``run`` goes before ``model``, and the embedded default after both."""

    model: str = ""
    run: str = ""
    max_length: int | None = None
    device: str = "auto"
    precision: str = "fp32"
    offline: bool = False


@dataclass(frozen=True, slots=True)
class OpenEncoder:
    """An encoder that was found, and what it says about itself; no weights are loaded yet."""

    name: str
    folder: Path
    tokenizer: PreTrainedTokenizerBase
    runtime: Runtime
    asked_length: int | None

    def extractor(self, readout: Readout, *, max_length: int | None = None) -> Extractor:
        """The model with this readout; ``max_length`` is the folder's own wish, if it has one."""
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
    """Find the encoder and load its tokenizer.

    Raises:
        ModelError: no such model, or an incomplete one. RunError: no such run.
        DeviceError: a device or precision that is not there.
    """
    runtime = choose_runtime(device=request.device, precision=request.precision)
    if request.run:
        folder = model_folder(find_run(request.run))
        check_folder(folder)
        return OpenEncoder(request.run, folder, load_tokenizer(folder), runtime, request.max_length)
    name = request.model or ModelSettings().name
    found = load_encoder(ModelSettings(name=name), offline=request.offline)
    return OpenEncoder(name, found.folder, found.tokenizer, runtime, request.max_length)


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
            what = f"{self.cut:,} of {self.texts:,} texts are longer than {max_length} tokens"
            self._watch.note(f"{what} and were cut")


def _has_hangul(text: str) -> bool:
    return any("가" <= character <= "힣" for character in unicodedata.normalize("NFC", text))
