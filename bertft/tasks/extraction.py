"""From start and end logits to answer spans: the n best of all windows of one question.

Every span of a window is scored, not only those of the best starts and ends. Shape legend: P pieces
of the passage in a window, M longest answer in pieces, L tokens of a window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bertft.contracts import Encoded, FloatArray, Pieces
from bertft.evaluation.probabilities import softmax
from bertft.spans import Span

N_BEST = 20
NO_SPAN = 1e6
"""Margin of a passage without any span: far beyond every threshold, and finite."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The best spans, best first, in characters, with start + end logits; the null score.

    ``null`` is the score of [CLS] as start and end, the least over the windows: that of the window
    that is surest to hold an answer (as in the official run_squad script).
    """

    spans: tuple[Span, ...]
    scores: FloatArray
    null: float

    @property
    def margin(self) -> float:
        """Null score minus the best span's: how much speaks for "no answer"."""
        return self.null - float(self.scores[0]) if len(self.scores) else NO_SPAN

    def probabilities(self, *, with_null: bool) -> FloatArray:
        """Softmax over the spans, with the null score as the last where it takes part."""
        scores = np.append(self.scores, self.null) if with_null else self.scores
        return softmax(scores) if len(scores) else scores


def extract(pieces: Pieces, *, max_answer_length: int, count: int = N_BEST) -> Extraction:
    """The ``count`` best spans over all windows by raw start + end logits.

    Softmax per window would not compare between windows. A span that several windows hold counts
    once, with its best score.
    """
    best: dict[Span, float] = {}
    null = np.inf
    for one, logits in pieces:
        null = min(null, float(logits[0, 0] + logits[0, 1]))
        for span, score in _best_of_window(one, logits, max_answer_length, count):
            if score > best.get(span, -np.inf):
                best[span] = score
    chosen = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:count]
    scores = np.array([score for _, score in chosen], dtype=np.float64)
    return Extraction(tuple(span for span, _ in chosen), scores, null)


def _best_of_window(
    one: Encoded, logits: FloatArray, longest: int, count: int
) -> list[tuple[Span, float]]:
    """Spans of one window: start <= end, at most ``longest`` pieces, both inside the passage."""
    assert one.offsets is not None
    inside = np.flatnonzero(one.offsets[:, 1] > one.offsets[:, 0])  # [P]
    if not len(inside):
        return []
    starts, ends = logits[inside, 0], logits[inside, 1]  # [P]
    longest = min(longest, len(inside))
    padded = np.concatenate([ends, np.full(longest - 1, -np.inf, dtype=ends.dtype)])
    band = np.lib.stride_tricks.sliding_window_view(padded, longest)  # [P, M]
    scores = (starts[:, None] + band).ravel()  # [P * M]
    if count < len(scores):
        top = np.argpartition(scores, len(scores) - count)[-count:]
    else:
        top = np.arange(len(scores))
    first, more = np.divmod(top, longest)
    real = np.isfinite(scores[top])
    first, more, top = first[real], more[real], top[real]
    opens = one.offsets[inside[first], 0].tolist()
    closes = one.offsets[inside[first + more], 1].tolist()
    return list(zip(zip(opens, closes, strict=True), scores[top].tolist(), strict=True))
