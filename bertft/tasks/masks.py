"""Masked tokens: which are hidden, and what is shown in their place.

The law of Devlin et al. (2019, NAACL, section 3.1) and of google-research/bert
create_pretraining_data.py (create_masked_lm_predictions): 15 % of the tokens are chosen; 80 % of
them become [MASK], 10 % a random token, 10 % stay as they are. With whole words, a word is hidden
in all its pieces or not at all. Unlike there, the masks are drawn anew in each epoch (Liu et al.
2019, RoBERTa, section 4.1).

Shape legend: L tokens of a sequence, V vocabulary.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.contracts import Encoded, Masked
from bertft.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
IdArray = np.ndarray[Any, np.dtype[np.signedinteger[Any]]]

CONTINUES = "##"
"""What WordPiece writes before a piece that goes on with a word."""
AS_MASK, AS_RANDOM = 0.8, 0.1


@dataclass(frozen=True, slots=True)
class Masker:
    """Hides tokens of an Encoded. ``special`` [V] are never hidden; ``ordinary`` are the others."""

    mask_id: int
    special: BoolArray
    continues: BoolArray
    ordinary: IdArray
    share: float
    whole_words: bool

    def __call__(self, one: Encoded, key: Sequence[int]) -> Encoded:
        """The Encoded with masks that are a pure function of ``key``, whatever was masked before.

        At least one token is hidden where there is any that can be.
        """
        random = np.random.default_rng(key)
        ids = unmasked(one)  # [L]
        hidden = self._choose(ids, random)
        shown = ids.copy()
        draws = random.random(len(hidden))
        as_random = (draws >= AS_MASK) & (draws < AS_MASK + AS_RANDOM)
        shown[hidden[draws < AS_MASK]] = self.mask_id
        shown[hidden[as_random]] = random.choice(self.ordinary, size=int(as_random.sum()))
        masked = Masked(_compact(hidden), _compact(ids[hidden]))
        return replace(one, input_ids=_compact(shown), masked=masked)

    def _choose(self, ids: IdArray, random: np.random.Generator) -> IdArray:
        """Places that are hidden, in order: so many as the share asks for, of words no more."""
        places = np.flatnonzero(~self.special[ids])
        wanted = max(1, round(len(places) * self.share))
        if not self.whole_words:
            return np.sort(random.permutation(places)[:wanted])
        # A piece goes on with the word only where the token before it belongs to one.
        goes_on = self.continues[ids[places]] & np.isin(places - 1, places)
        words = np.split(places, np.flatnonzero(~goes_on)[1:]) if len(places) else []
        chosen: list[int] = []
        for index in random.permutation(len(words)):
            if len(chosen) + len(words[index]) <= wanted:
                chosen.extend(words[index].tolist())
            if len(chosen) == wanted:
                break
        if not chosen and words:  # every word is longer than the share
            chosen.extend(min(words, key=len).tolist())
        return np.array(sorted(chosen), dtype=np.int64)


def make_masker(tokenizer: PreTrainedTokenizerBase, *, share: float, whole_words: bool) -> Masker:
    """The masker of a tokenizer.

    Raises:
        ModelError: it has no mask token, or whole words are asked for and it is no WordPiece.
    """
    mask_id = tokenizer.mask_token_id
    if not isinstance(mask_id, int):
        raise ModelError("the tokenizer has no mask token", hint="choose a BERT with --model")
    vocabulary = tokenizer.get_vocab()
    special = np.zeros(max(vocabulary.values()) + 1, dtype=np.bool_)
    continues = special.copy()
    continues[[i for piece, i in vocabulary.items() if piece.startswith(CONTINUES)]] = True
    if whole_words and not continues.any():
        what = f"the tokenizer marks no piece with {CONTINUES}, so whole words are not known"
        raise ModelError(what, hint="leave --whole-words out, or choose a BERT with --model")
    # An unknown token can be hidden like any other, as in Google's code.
    special[[i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id]] = True
    known = np.array(sorted(vocabulary.values()))
    ordinary = known[~special[known] & (known != tokenizer.unk_token_id)]
    return Masker(mask_id, special, continues, ordinary, share, whole_words)


def unmasked(one: Encoded) -> IdArray:
    """Token ids [L] as they were before any was hidden."""
    ids = np.array(one.input_ids, dtype=np.int32)
    if one.masked is not None and len(one.masked.places):
        ids[np.asarray(one.masked.places)] = one.masked.tokens
    return ids


def _compact(ids: IdArray) -> array[int]:
    """Four bytes for each id; a list takes many times that, and a corpus has many."""
    return array("i", ids.astype(np.int32).tobytes())
