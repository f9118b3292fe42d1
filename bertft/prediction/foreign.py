"""Texts that a model cannot read: texts and what its tokenizer made of them in; out, a warning.

An answer to such a text is one about nothing, however probable it is called.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bertft.checks.language import script_of
from bertft.contracts import Encoded
from bertft.encoder.load import decomposes_hangul

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNKNOWN = 0.5
"""Share of a text's tokens that are [UNK], from which on it is not read."""
SPECIAL = 2
"""Tokens that frame a sequence, at the least."""


class Foreign:
    """Counts texts whose words the encoder never saw, as they go by."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, decomposed_hangul: bool) -> None:
        """``decomposed_hangul``: the model was trained so on purpose."""
        self._unknown_id = tokenizer.unk_token_id
        self._splits_hangul = decomposes_hangul(tokenizer) and not decomposed_hangul
        self.texts = self.korean = self.unknown = 0

    def see(self, texts: Sequence[str], encoded: Iterable[Encoded]) -> None:
        """Take note of texts and of their windows (``example`` is the place of its text)."""
        self.texts += len(texts)
        if self._splits_hangul:
            self.korean += sum(script_of(text) == "hangul" for text in texts)
        if self._unknown_id is None:
            return
        lost: Counter[int] = Counter()
        tokens: Counter[int] = Counter()
        for one in encoded:
            lost[one.example] += list(one.input_ids).count(self._unknown_id)
            tokens[one.example] += len(one.input_ids) - SPECIAL
        self.unknown += sum(count >= UNKNOWN * max(1, tokens[n]) for n, count in lost.items())

    def take(self) -> list[str]:
        """What is to be said of the texts since the last time, a line each."""
        found = []
        if self.korean:
            what = f"{self.korean:,} of {self.texts:,} texts are Korean, which this model never saw"
            found.append(f"{what}: its encoder splits Hangul into jamo; the answers mean nothing")
        if self.unknown:
            what = f"in {self.unknown:,} of {self.texts:,} texts half of the tokens or more are"
            found.append(f"{what} unknown to the model ([UNK]); the answers mean nothing")
        self.texts = self.korean = self.unknown = 0
        return found


def knows_jamo(folder: Path) -> bool:
    """Whether the run of a model was trained on jamo on purpose (``model.decomposed_hangul``)."""
    try:
        recipe = tomllib.loads((folder.parent / "recipe.toml").read_text(encoding="utf-8"))
        return bool(recipe["model"]["decomposed_hangul"])
    except (OSError, ValueError, KeyError):
        return False
