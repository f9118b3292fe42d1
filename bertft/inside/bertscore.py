"""BERTScore (Zhang et al. 2020): token vectors of a reference and a candidate in, scores out.

Each token is matched with the token of the other text that is most like it, by cosine:

    precision = sum over c of w(c) max over r of cos(c, r) / sum of w(c)        (recall likewise)
    f1        = 2 precision recall / (precision + recall)

w is 1, or the token's inverse document frequency among the references; special tokens at the ends
weigh nothing, yet may be matched (as in the package bert_score). Rescaled, a score is
(score - b) / (1 - b), where b is what unrelated texts have.

Shape legend: R and C tokens of a reference and a candidate, W width, P pairs.
"""

from __future__ import annotations

import csv
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bertft.contracts import Encoded, FloatArray
from bertft.errors import DataError
from bertft.inside.embedder import MAX_VALUES, Embedder, unit_length
from bertft.loaders.files import resolve

NAMES = ("precision", "recall", "f1")
UNRELATED = 1000
"""Pairs of texts that do not belong together, at most, for a baseline of one's own."""

Weigh = Callable[[Encoded], FloatArray]
"""Weights [L] of the tokens of a text."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and what is compared with it."""

    id: str
    reference: str
    candidate: str


def match(
    reference: FloatArray, candidate: FloatArray, *, weights: tuple[FloatArray, FloatArray]
) -> tuple[float, float, float]:
    """(precision, recall, f1) of unit vectors [R, W] and [C, W] with their weights."""
    of_reference, of_candidate = (float(one.sum()) for one in weights)
    if of_reference <= 0 or of_candidate <= 0:  # nothing but special tokens
        return 0.0, 0.0, 0.0
    cosines = candidate @ reference.T  # [C, R]
    recall = float(cosines.max(axis=0) @ weights[0]) / of_reference
    precision = float(cosines.max(axis=1) @ weights[1]) / of_candidate
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def score_pairs(
    embedder: Embedder, pairs: Sequence[Pair], *, weigh: Weigh, encoded: dict[str, Encoded]
) -> FloatArray:
    """Scores [P, 3] of pairs whose texts are all in ``encoded``; each is read once a window."""
    rows = []
    for window in _windows(pairs, encoded, width=int(np.prod(embedder.layout.shape))):
        texts = list(dict.fromkeys(one for pair in window for one in _texts(pair)))
        found = embedder.vectors([encoded[one] for one in texts])
        vectors = {text: unit_length(one) for text, one in zip(texts, found, strict=True)}
        for pair in window:
            weights = (weigh(encoded[pair.reference]), weigh(encoded[pair.candidate]))
            rows.append(match(vectors[pair.reference], vectors[pair.candidate], weights=weights))
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def encode_pairs(embedder: Embedder, pairs: Sequence[Pair]) -> dict[str, Encoded]:
    """Each different text of the pairs, encoded."""
    texts = list(dict.fromkeys(one for pair in pairs for one in _texts(pair)))
    return dict(zip(texts, embedder.encode([one.strip() for one in texts]), strict=True))


def weights_of(embedder: Embedder, references: Sequence[Encoded], *, idf: bool) -> Weigh:
    """How tokens weigh: alike, or by idf = log((N + 1) / (df + 1)) among N references."""
    tokenizer = embedder.extractor.tokenizer
    ends = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    if not idf:
        return lambda one: np.array([float(id not in ends) for id in one.input_ids])
    counts = Counter(id for one in references for id in set(one.input_ids))
    above = len(references) + 1
    return lambda one: np.array([math.log(above / (counts[id] + 1)) for id in one.input_ids])


def rescaled(scores: FloatArray, baseline: FloatArray) -> FloatArray:
    """Scores [P, 3] with the baseline [3] at 0, and 1 where it is."""
    return np.asarray((scores - baseline) / (1 - baseline))


def unrelated(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of a reference and the candidate of another one, the same each time.

    Raises:
        DataError: there are too few pairs to tell.
    """
    if len(pairs) < 10:
        hint = "give a --baseline file, or leave --rescale out"
        raise DataError(f"--rescale needs 10 pairs or more, not {len(pairs)}", hint=hint)
    order = random.Random(13).sample(range(len(pairs)), min(UNRELATED, len(pairs)))
    shifted = zip(order, [*order[1:], order[0]], strict=True)
    return [Pair("", pairs[a].reference, pairs[b].candidate) for a, b in shifted]


def read_baseline(path: str, *, layer: int) -> FloatArray:
    """(P, R, F) [3] of a layer, from a file as the package bert_score has it: LAYER,P,R,F.

    Raises:
        DataError: there is no such file, or no such layer in it.
    """
    with resolve(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                if int(row["LAYER"]) == layer:
                    return np.array([float(row[name]) for name in ("P", "R", "F")])
            except (KeyError, TypeError, ValueError):
                raise DataError("not a table LAYER,P,R,F", path=path, line=1) from None
    raise DataError(f"no baseline of layer {layer}", path=path)


def _texts(pair: Pair) -> tuple[str, str]:
    return pair.reference, pair.candidate


def _windows(
    pairs: Sequence[Pair], encoded: dict[str, Encoded], *, width: int
) -> Iterator[list[Pair]]:
    """Pairs whose vectors fit into memory together."""
    window: list[Pair] = []
    values = 0
    for pair in pairs:
        size = width * sum(len(encoded[one]) for one in _texts(pair))
        if window and values + size > MAX_VALUES:
            yield window
            window, values = [], 0
        window.append(pair)
        values += size
    if window:
        yield window
