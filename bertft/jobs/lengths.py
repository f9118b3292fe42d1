"""How long texts are in tokens: a Split and the name of an encoder in, Lengths out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bertft.checks.finding import Split
from bertft.checks.tokens import count_tokens
from bertft.encoder.load import load_reader, positions_of
from bertft.errors import UnreachableError
from bertft.settings import ModelSettings
from bertft.words import counted

CHARACTERS = {"en": 4.0, "ko": 1.8, "ko+en": 2.2, "other": 2.5}
"""Characters to a token, for who has no tokenizer at hand."""
LONGEST = 512
"""Tokens that an encoder reads at most, where it is not at hand."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of the texts in tokens; ``counted`` by a tokenizer, or else estimated."""

    median: int
    most: int
    longest: int
    limit: int
    """What the encoder reads at most."""
    counted: bool

    def __str__(self) -> str:
        about = "" if self.counted else " (estimated: the encoder is not at hand)"
        most = f"99 % have up to {self.most:,}, the longest {self.longest:,}"
        return f"median {counted(self.median, 'token')}, {most}{about}"


def measure(split: Split, *, model: str, language: str, offline: bool) -> Lengths:
    """Lengths by the tokenizer of ``model``; estimated where that cannot be fetched."""
    limit = LONGEST
    found: np.ndarray[Any, Any]
    try:
        encoder = load_reader(ModelSettings(name=model), offline=offline)
    except UnreachableError:
        sizes = [sum(map(len, reading.texts)) for reading in split.readings]
        found, is_counted = np.array(sizes) / CHARACTERS[language] + 3, False
    else:
        found, is_counted = count_tokens(split, encoder.tokenizer).lengths, True
        limit = min(limit, positions_of(encoder.folder) or limit)
    median, most = np.percentile(found, (50, 99))
    return Lengths(round(median), round(most), round(found.max()), limit, is_counted)
