"""From tag scores to tags: the best valid sequence, and units that several windows hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.contracts import Encoded
from bertft.encoder.pieces import placed, windows_over
from bertft.spans import to_bio
from bertft.tasks import tagging

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def total(path: tuple[int, ...], scores: np.ndarray, transitions: np.ndarray) -> float:
    steps = zip((len(transitions) - 1, *path), path, strict=False)
    return sum(scores[u, t] for u, t in enumerate(path)) + sum(transitions[a, b] for a, b in steps)


class TestBestPath:
    def test_equal_to_trying_every_sequence(self):
        generator = np.random.default_rng(3)
        for _ in range(300):
            units, size = int(generator.integers(1, 6)), int(generator.integers(1, 5))
            scores = generator.normal(size=(units, size))
            transitions = generator.normal(size=(size + 1, size))
            transitions[generator.random(transitions.shape) < 0.2] = tagging.NEVER
            best = max(
                itertools.product(range(size), repeat=units),
                key=lambda path: total(path, scores, transitions),
            )
            assert tagging.best_path(scores, transitions) == list(best)

    @settings(deadline=None, max_examples=200)
    @given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([0.1, 5.0, 900.0]))
    def test_constrained_tags_are_valid_bio(self, seed, units, width):
        scores = np.random.default_rng(seed).normal(size=(units, len(LABELS))) * width
        allowed = tagging.allowed_transitions(LABELS)
        path = tagging.best_path(scores, allowed)
        assert to_bio([LABELS[tag] for tag in path], scheme="bio")[1] == 0
        assert tagging.is_valid(path, allowed)
        greedy = scores.argmax(axis=1)
        valid = to_bio([LABELS[tag] for tag in greedy], scheme="bio")[1] == 0
        assert tagging.is_valid(greedy, allowed) == valid
        if valid:
            assert path == greedy.tolist()

    def test_allowed_steps(self):
        allowed = tagging.allowed_transitions(LABELS) == 0
        start, outside, loc, in_loc, per, in_per = (allowed[i] for i in (5, 0, 1, 2, 3, 4))
        assert start.tolist() == outside.tolist() == [True, True, False, True, False]
        assert loc.tolist() == in_loc.tolist() == [True, True, True, True, False]
        assert per.tolist() == in_per.tolist() == [True, True, False, True, True]


class TestLearned:
    def test_log_ratios_of_smoothed_counts(self):
        """Two sequences over two tags by hand: rows 0, 1 and the start, 1 added to each count."""
        found = tagging.learned_transitions([[0, 1, 1], [0, 1]], ("a", "b"))
        tags = np.array([1 + 1 + 3, 3 + 2 + 1]) / 11
        rows = np.array([[1 / 4, 3 / 4], [1 / 3, 2 / 3], [3 / 4, 1 / 4]])
        assert found == pytest.approx(np.log(rows / tags))

    def test_what_was_seen_is_preferred(self):
        """Where the pieces say nothing, LOC follows PER as it did on dev."""
        seen = [[0, 3, 1, 0]] * 20
        rows = tagging.allowed_transitions(LABELS) + tagging.learned_transitions(seen, LABELS)
        scores = np.zeros((4, len(LABELS)))
        scores[:, 0] = [0, -9, -9, 0]
        assert tagging.best_path(scores, rows) == [0, 3, 1, 0]


class TestMergeWindows:
    @settings(deadline=None, max_examples=200)
    @given(st.data())
    def test_every_unit_once_in_order_from_where_it_has_most_context(self, data):
        count = data.draw(st.integers(0, 40))
        room = data.draw(st.integers(1, 20))
        overlap = data.draw(st.integers(0, room - 1))
        carries = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
        starts = 5 * np.arange(count)
        units = np.stack([starts, starts + 4], axis=1).astype(np.int32)
        units = units * carries.reshape(-1, 1)
        encoded, rows, context = [], [], {}
        for number, window in enumerate(windows_over(count, room=room, overlap=overlap)):
            length = len(window) + 2
            offsets = placed(units[window.start : window.stop], first=1, length=length)
            encoded.append(Encoded([1] * length, [], 0, offsets=offsets))
            rows.append(np.array([(number, place) for place in range(length)]))
            for place, unit in enumerate(window, start=1):
                context[number, place] = (unit, min(place, length - 1 - place))
        found, chosen = tagging.merge_windows(list(zip(encoded, rows, strict=True)))
        expected = np.flatnonzero(carries) if count else []
        assert found.tolist() == [units[unit].tolist() for unit in expected]
        for unit, row in zip(expected, chosen, strict=True):
            most = max(width for other, width in context.values() if other == unit)
            assert context[tuple(row.tolist())] == (unit, most)
