"""The best spans of logits: equal to trying every pair, whatever the windows."""

from __future__ import annotations

import numpy as np
import pytest

from bertft.contracts import Encoded, FloatArray, Pieces
from bertft.encoder.pieces import placed, windows_over
from bertft.spans import Span
from bertft.tasks.extraction import Extraction, extract

QUESTION = 3


def windows(
    generator: np.random.Generator, *, count: int, room: int = 1000, overlap: int = 0
) -> list[tuple[Encoded, FloatArray]]:
    """[CLS] question [SEP] pieces [SEP] with random logits, pieces of random width."""
    widths = generator.integers(1, 4, count)
    ends = np.cumsum(widths + generator.integers(0, 2, count))
    offsets = np.stack([ends - widths, ends], axis=1).astype(np.int32)
    first = QUESTION + 2
    found = []
    for window in windows_over(count, room=room, overlap=overlap):
        length = first + len(window) + 1
        rows = placed(offsets[window.start : window.stop], first=first, length=length)
        logits = generator.normal(size=(length, 2)).astype(np.float32) * 4
        found.append((Encoded([1] * length, [], 0, offsets=rows), logits))
    return found


def every_span(pieces: Pieces, *, longest: int) -> dict[Span, float]:
    """All allowed spans with their best score, one by one."""
    best: dict[Span, float] = {}
    for one, logits in pieces:
        places = [i for i, (start, end) in enumerate(one.offsets) if start < end]
        for rank, first in enumerate(places):
            for last in places[rank : rank + longest]:
                span = (int(one.offsets[first, 0]), int(one.offsets[last, 1]))
                score = float(logits[first, 0] + logits[last, 1])
                best[span] = max(score, best.get(span, -np.inf))
    return best


def one_window(starts: list[float], ends: list[float], *, passage: range) -> Pieces:
    offsets = [(9 * i, 9 * i + 1) if i in passage else (0, 0) for i in range(len(starts))]
    encoded = Encoded([1] * len(starts), [], 0, offsets=np.array(offsets, dtype=np.int32))
    return [(encoded, np.stack([starts, ends], axis=1).astype(np.float32))]


class TestSpans:
    def test_equal_to_trying_every_pair(self):
        generator = np.random.default_rng(7)
        for _ in range(500):
            count = int(generator.integers(1, 60))
            room = int(generator.integers(4, 70))
            overlap = int(generator.integers(0, room))
            longest = int(generator.integers(1, 40))
            best = int(generator.integers(1, 30))
            pieces = windows(generator, count=count, room=room, overlap=overlap)
            expected = every_span(pieces, longest=longest)
            order = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:best]
            found = extract(pieces, max_answer_length=longest, count=best)
            assert list(zip(found.spans, found.scores.tolist(), strict=True)) == order
            assert found.null == min(float(rows[0].sum()) for _, rows in pieces)

    def test_start_and_end_lie_in_one_window(self):
        """The best start of one window and the best end of another make no span."""
        left = one_window([0, 9, 0], [0, 0, 0], passage=range(1, 3))[0]
        right = one_window([0, 0, 0], [0, 0, 9], passage=range(1, 3))[0]
        right[0].offsets[:] += 100 * (right[0].offsets > 0)
        found = extract([left, right], max_answer_length=30)
        assert all(end - start < 100 for start, end in found.spans)
        assert found.scores[0] == 9

    def test_question_and_special_tokens_are_never_part_of_it(self):
        starts, ends = [99.0, 99, 99, 0, 1, 99], [99.0, 99, 99, 1, 0, 99]
        found = extract(one_window(starts, ends, passage=range(3, 5)), max_answer_length=30)
        assert sorted(found.spans) == [(27, 28), (27, 37), (36, 37)]
        assert found.scores[0] == 1
        assert found.null == 198

    def test_pieces_of_one_character_are_one_span(self):
        """Byte-level tokens share the character that they are parts of."""
        offsets = np.array([(0, 0), (0, 1), (0, 1), (0, 1), (0, 0)], dtype=np.int32)
        logits = np.array([(0, 0), (1, 2), (0, 5), (3, 1), (0, 0)], dtype=np.float32)
        found = extract([(Encoded([1] * 5, [], 0, offsets=offsets), logits)], max_answer_length=9)
        assert (found.spans, found.scores.tolist()) == (((0, 1),), [6.0])

    def test_an_empty_passage_has_none(self):
        found = extract(one_window([1, 2, 3], [1, 2, 3], passage=range(0)), max_answer_length=30)
        assert (found.spans, found.scores.tolist(), found.null) == ((), [], 2.0)
        assert found.margin >= 1e5

    @pytest.mark.parametrize("wrong", [-np.inf, np.nan])
    def test_scores_are_finite(self, wrong):
        starts, ends = [0, 1, wrong, 2], [0, 1, 3, wrong]
        found = extract(one_window(starts, ends, passage=range(1, 4)), max_answer_length=30)
        assert dict(zip(found.spans, found.scores.tolist(), strict=True)) == {
            (9, 10): 2.0,
            (9, 19): 4.0,
        }


class TestExtraction:
    def test_margin_is_null_over_the_best_span(self):
        assert Extraction(((0, 1), (2, 3)), np.array([4.0, 1.0]), 6.5).margin == 2.5

    def test_probabilities_are_a_softmax_with_or_without_null(self):
        found = Extraction(((0, 1), (2, 3)), np.log([6.0, 3.0]), float(np.log(1.0)))
        assert found.probabilities(with_null=False) == pytest.approx([2 / 3, 1 / 3])
        assert found.probabilities(with_null=True) == pytest.approx([0.6, 0.3, 0.1])

    def test_probabilities_of_nothing(self):
        empty = Extraction((), np.array([]), 800.0)
        assert empty.probabilities(with_null=True).tolist() == [1.0]
        assert empty.probabilities(with_null=False).tolist() == []
