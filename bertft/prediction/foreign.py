"""Texts that a model cannot read: texts and what its tokenizer made of them in; out, a warning.

An answer to such a text is one about nothing, however probable it is called.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bertft.checks.language import letter_script, script_of
from bertft.contracts import Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNKNOWN = 0.5
"""Share of a text's tokens that are [UNK], from which on it is not read."""
SPECIAL = 2
"""Tokens that frame a sequence, at the least."""
PIECES = 100
"""Pieces of several letters from which on a vocabulary has words of a script; a hundredth of it
does, too. Of 30,522, uncased English BERT has 27,586 in Latin, 8 in Cyrillic, none in Hangul."""
NAMES = {"hangul": "Korean", "cjk": "in Chinese characters", "hiragana": "Japanese",
         "katakana": "Japanese"}  # fmt: skip
IDEOGRAPHS = 2000
"""Of Chinese characters, which are words by themselves: as many, or a twentieth of the vocabulary.
English BERT has 488."""


class Foreign:
    """Counts texts whose words the encoder never saw, as they go by."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, decomposed_hangul: bool) -> None:
        """``decomposed_hangul``: the model was trained so on purpose."""
        self._tokenizer = tokenizer
        self._unknown_id = tokenizer.unk_token_id
        self._read = {"latin": True, "other": True, "": True}
        if decomposed_hangul:
            self._read["hangul"] = True
        self._strange: Counter[str] = Counter()
        self.texts = self.unknown = 0

    def see(self, texts: Sequence[str], encoded: Iterable[Encoded]) -> None:
        """Take note of texts and of their windows (``example`` is the place of its text)."""
        self.texts += len(texts)
        scripts = Counter(map(script_of, texts))
        self._strange += Counter({one: scripts[one] for one in scripts if not self._reads(one)})
        if self._unknown_id is None:
            return
        lost: Counter[int] = Counter()
        tokens: Counter[int] = Counter()
        for one in encoded:
            lost[one.example] += one.input_ids.count(self._unknown_id)
            tokens[one.example] += len(one.input_ids) - SPECIAL
        self.unknown += sum(count >= UNKNOWN * max(1, tokens[n]) for n, count in lost.items())

    def take(self) -> list[str]:
        """What is to be said of the texts since the last time, a line each."""
        found = []
        for script, count in self._strange.most_common():
            name = NAMES.get(script, f"in {script.title()} letters")
            what = f"{count:,} of {self.texts:,} texts are {name}"
            known = "few of them" if script == "cjk" else "only single letters of it, no words"
            why = f"its vocabulary has {known}"
            found.append(f"{what}, which this model never saw: {why}; the answers mean nothing")
        if self.unknown:
            what = f"in {self.unknown:,} of {self.texts:,} texts half of the tokens or more are"
            found.append(f"{what} unknown to the model ([UNK]); the answers mean nothing")
        self._strange.clear()
        self.texts = self.unknown = 0
        return found

    def _reads(self, script: str) -> bool:
        """Whether the vocabulary has words of a script; looked up once."""
        if script not in self._read:
            self._read[script] = has_words(self._tokenizer, script)
        return self._read[script]


def has_words(tokenizer: PreTrainedTokenizerBase, script: str) -> bool:
    """Whether a vocabulary has pieces of several letters of a script, or many ideographs.

    One that has letters alone spells a text out, and was hardly trained on any: English BERT with
    Hangul (as jamo), Cyrillic or Arabic.
    """
    decoder = tokenizer.backend_tokenizer.decoder
    vocabulary = tokenizer.backend_tokenizer.get_vocab()
    fewest, many, share = (1, IDEOGRAPHS, 20) if script == "cjk" else (2, PIECES, 100)
    needed = min(many, len(vocabulary) // share)
    for token in vocabulary:
        piece = decoder.decode([token]) if decoder else token  # bytes become letters again
        needed -= sum(c.isalpha() and letter_script(c) == script for c in piece) >= fewest
        if needed <= 0:
            return True
    return False


def knows_jamo(folder: Path) -> bool:
    """Whether the run of a model was trained on jamo on purpose (``model.decomposed_hangul``)."""
    try:
        recipe = tomllib.loads((folder.parent / "recipe.toml").read_text(encoding="utf-8"))
        return bool(recipe["model"]["decomposed_hangul"])
    except (OSError, ValueError, KeyError):
        return False
