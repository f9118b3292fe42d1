"""One word in several sentences: where it stands, and how alike its vectors are, layer by layer.

Shape legend: S sentences, n layers (embeddings included), H hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import regex  # type: ignore[import-untyped, unused-ignore]

from bertft.contracts import FloatArray
from bertft.inside.embedder import unit_length
from bertft.spans import Span, compose


def similarities(vectors: FloatArray) -> FloatArray:
    """Cosines [n, S, S] of vectors [S, n, H], within each layer."""
    units = unit_length(vectors.transpose(1, 0, 2))  # [n, S, H]
    return np.asarray(units @ units.transpose(0, 2, 1))


def find_word(text: str, word: str) -> list[Span]:
    """Where a word stands in a text, whatever its case.

    It begins where a word of the text begins, and ends where that ends; a word that ends in Hangul
    may have particles after it: the match is then a part of the eojeol (배 in 배를).
    """
    here, sought = compose(text), compose(word.strip()).text
    if not sought:
        return []
    letter = r"[\p{L}\p{M}\p{N}_]"
    end = "" if "가" <= sought[-1] <= "힣" else f"(?!{letter})"
    pattern = regex.compile(f"(?<!{letter}){regex.escape(sought)}{end}", regex.IGNORECASE)
    return [here.original(*match.span()) for match in pattern.finditer(here.text)]


def layer_table(result: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table: a layer, then the similarity of each two sentences in it."""
    count = len(result["sentences"])
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    headings = ["layer", *(f"{a + 1}, {b + 1}" for a, b in pairs)]
    layers = zip(result["layers"], result["similarity"], strict=True)
    return headings, [[str(n), *(f"{one[a][b]:.4f}" for a, b in pairs)] for n, one in layers]


def sentence_rows(sentences: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Rows of a table: number, tokens of the word, sentence."""
    return [
        [str(number), " ".join(one["tokens"]), one["text"]]
        for number, one in enumerate(sentences, start=1)
    ]
