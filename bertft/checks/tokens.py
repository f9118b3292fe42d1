"""Lengths in tokens, and tokens that the encoder does not know.

In: a Split, a tokenizer and a limit. Out: counts, and Findings. Every distinct text is cut
into tokens once, whole: what training cuts off is told here from the full length.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bertft.checks.finding import KEPT, Finding, Hits, Place, Severity, Split, short

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHUNK = 1024
MUCH = 0.01
"""Share of rows, or of tokens, from which on a note becomes a warning."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """``lengths`` [N] and ``unknown`` [N] of the N rows, special tokens counted."""

    lengths: np.ndarray[Any, np.dtype[np.int64]]
    unknown: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def unknown_share(self) -> float:
        return float(self.unknown.sum() / max(1, self.lengths.sum()))

    def facts(self) -> dict[str, float]:
        """Median, 95th percentile and maximum length; share of unknown tokens."""
        if not len(self.lengths):
            return {}
        median, high = np.percentile(self.lengths, (50, 95))
        facts = {"median": float(median), "p95": float(high), "max": float(self.lengths.max())}
        return facts | {"unknown_share": self.unknown_share}


def count_tokens(split: Split, tokenizer: PreTrainedTokenizerBase) -> TokenCounts:
    """Tokens of all rows, whatever the encoder can read at once."""
    lengths = np.zeros(len(split.readings), dtype=np.int64)  # [N]
    unknown = np.zeros_like(lengths)  # [N]
    single, pair = (tokenizer.num_special_tokens_to_add(pair=two) for two in (False, True))
    for start in range(0, len(lengths), CHUNK):
        part = [reading.texts for reading in split.readings[start : start + CHUNK]]
        known = _counts(list(dict.fromkeys(text for texts in part for text in texts)), tokenizer)
        for index, texts in enumerate(part, start):
            lengths[index] = sum(known[text][0] for text in texts)
            lengths[index] += single if len(texts) == 1 else pair
            unknown[index] = sum(known[text][1] for text in texts)
    return TokenCounts(lengths, unknown)


def _counts(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple[int, int]]:
    """(tokens, unknown tokens) of each text, composed as it is for training."""
    cut: Any = tokenizer(
        [unicodedata.normalize("NFC", text) for text in texts],
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    unknown = tokenizer.unk_token_id
    return {
        text: (len(ids), 0 if unknown is None else ids.count(unknown))
        for text, ids in zip(texts, cut["input_ids"], strict=True)
    }


def length_findings(
    split: Split, counts: TokenCounts, *, over: Sequence[int], cut: Container[int], limit: int
) -> list[Finding]:
    """Rows ``over`` the limit: those that are ``cut``, and those read in windows."""
    hits = {True: Hits(), False: Hits()}
    for index in over:
        place = split.place(index)
        hits[index in cut].add(
            Place(place.file, place.line, f"{counts.lengths[index]} tokens: {place.text}")
        )
    of = len(split.readings)
    severity: Severity = "warning" if hits[True].count >= MUCH * of else "note"
    return hits[True].finding(
        severity,
        "cut",
        split=split.name,
        what=f"rows of more than {limit} tokens, which are cut",
        of=of,
        mend=f"--set model.max_length={_round_up(counts.lengths)}, if the encoder has that many; "
        "classification of single texts also reads windows (task.long_text)",
    ) + hits[False].finding(
        "note",
        "windows",
        split=split.name,
        what=f"rows of more than {limit} tokens, which are read in windows",
        of=of,
        mend="nothing: all of them is read; a larger model.max_length makes fewer windows",
    )


def _round_up(lengths: np.ndarray[Any, Any]) -> int:
    """The longest row in steps of 32; 512 at most, as most encoders have."""
    return min(512, -(-int(lengths.max()) // 32) * 32)


def unknown_findings(
    split: Split, counts: TokenCounts, tokenizer: PreTrainedTokenizerBase
) -> list[Finding]:
    """Texts with tokens that the encoder does not know, and what those are."""
    hits = Hits()
    for index in np.flatnonzero(counts.unknown).tolist():
        shown = ""
        if len(hits.places) < KEPT:
            parts = [p for text in split.readings[index].texts for p in _unknown(text, tokenizer)]
            shown = " ".join(dict.fromkeys(parts)) + " in: " + split.place(index).text
        hits.add(split.place(index, shown))
    severity: Severity = "warning" if counts.unknown_share >= MUCH else "note"
    return hits.finding(
        severity,
        "unknown-token",
        split=split.name,
        what="rows with tokens that the encoder does not know ([UNK])",
        of=len(split.readings),
        mend="choose an encoder of this language ('bertft models list')"
        if severity == "warning"
        else "nothing, unless these signs matter",
    )


def _unknown(text: str, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The parts of a text that are [UNK]."""
    text = unicodedata.normalize("NFC", text)
    cut: Any = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    pairs = zip(cut["input_ids"], cut["offset_mapping"], strict=True)
    spans = [span for number, span in pairs if number == tokenizer.unk_token_id]
    return [short(text[start:end], longest=20) for start, end in spans]
