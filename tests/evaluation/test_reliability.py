"""Calibration error over equal-mass bins, its noise, and what is stored of both."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.evaluation.calibration import choices_of, events_of
from bertft.evaluation.probabilities import softmax
from bertft.evaluation.reliability import (
    BINS,
    calibration_content,
    calibration_error,
    dev_content,
    error_by_chance,
    reliability_bins,
)

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()))


def test_bins_hold_equally_many() -> None:
    p = np.random.default_rng(0).random(150)
    counts = [one.count for one in reliability_bins(p, p > 0.5)]
    assert counts == [10] * BINS


def test_the_error_is_the_gap_in_each_bin() -> None:
    generator = np.random.default_rng(0)
    for size, bins in ((200, 1), (203, 5), (997, 15)):
        p = generator.random(size)
        right = generator.random(size) < p**2
        order = np.argsort(p)
        ends = [int(np.ceil(number * size / bins)) for number in range(bins + 1)]
        expected = sum(
            abs(p[order[low:high]].sum() - right[order[low:high]].sum())
            for low, high in itertools.pairwise(ends)
        )
        assert calibration_error(p, right, bins=bins) == pytest.approx(expected / size)
    assert calibration_error([1.0, 0.0], [1, 0]) == 0.0
    assert calibration_error([], []) == 0.0


@given(PAIRS)
@settings(deadline=None)
def test_bins_hold_everything_once_and_in_order(pairs: list[tuple[float, bool]]) -> None:
    p, right = [one for one, _ in pairs], [float(one) for _, one in pairs]
    bins = reliability_bins(p, right)
    assert sum(one.count for one in bins) == len(p)
    assert sum(one.count * one.right for one in bins) == pytest.approx(sum(right))
    means = [one.confidence for one in bins]
    assert means == sorted(means)
    assert len({*means}) == len(means)
    assert calibration_error(p, right) <= 1
    reverse = calibration_error(p[::-1], right[::-1])
    assert calibration_error(p, right) == pytest.approx(reverse)


def test_probabilities_that_hold_have_the_error_of_chance() -> None:
    generator = np.random.default_rng(0)
    for size in (300, 3000):
        p = generator.random(size)
        errors = [calibration_error(p, generator.random(size) < p) for _ in range(300)]
        assert error_by_chance(p) == pytest.approx(np.mean(errors), rel=0.05)


def test_what_is_stored_is_json_and_says_what_was_before() -> None:
    generator = np.random.default_rng(0)
    z = generator.normal(size=(300, 3))
    gold = (z + generator.normal(size=z.shape)).argmax(axis=1)
    scaling = ((2.0, 0.0),)
    evidence = choices_of(softmax(2 * z), gold, scaling=scaling)
    content = json.loads(json.dumps(calibration_content(evidence, scaling)))
    p = softmax(2 * z)
    assert content["nll"] == pytest.approx(-np.log(p[np.arange(300), gold]).mean())
    raw = softmax(z)
    assert content["before"]["nll"] == pytest.approx(-np.log(raw[np.arange(300), gold]).mean())
    shares, risks = zip(*content["risk_coverage"], strict=True)
    assert shares[-1] == 1
    assert risks[-1] == pytest.approx((p.argmax(axis=1) != gold).mean())
    assert len(content["risk_coverage"]) <= 101
    dev = json.loads(json.dumps(dev_content(evidence, evidence.fit())))
    assert len(dev["confidence"]) == len(dev["right"]) == len(dev["improbable"]) == 300
    assert dev["fitted"]["nll"] <= dev["before"]["nll"]


def test_labels_of_which_several_hold_have_no_risk_and_coverage() -> None:
    evidence = events_of(np.full((60, 2), 0.3), np.eye(2)[np.arange(60) % 2])
    content = calibration_content(evidence, ())
    assert content["predictions"] == 120
    assert not {"aurc", "risk_coverage", "before"} & content.keys()
    assert "confidence" not in dev_content(evidence, ())
    assert "improbable" not in dev_content(events_of([0.5] * 60, [1, 0] * 30), ())


def test_nothing_predicted_has_no_error() -> None:
    content = calibration_content(events_of([], []), ())
    assert (content["predictions"], content["calibration_error"], content["bins"]) == (0, 0.0, [])
    assert dev_content(events_of([], []), ())["lacks"] == "0 predictions are fewer than 50"
