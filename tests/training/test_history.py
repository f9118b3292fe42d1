"""A journal in brief: curves of as many points as a picture can show."""

from __future__ import annotations

import pytest

from bertft.training.history import MOST, Curve, read_history, smoothed


@pytest.mark.parametrize("count", [1, 2 * MOST, 10_000])
def test_points_do_not_grow_with_steps(count: int) -> None:
    curve = Curve()
    for step in range(count):
        curve.add(step, float(step))
    assert min(count, MOST) <= len(curve.points) <= 2 * MOST
    assert all(step == value for step, value in curve.points)


def test_numbers_that_are_none_are_left_out() -> None:
    curve = Curve()
    curve.add(1, float("nan"))
    assert curve.points == []


def test_events_of_one_training() -> None:
    history = read_history(
        [
            {"event": "plan", "parameters": 7},
            {"event": "step", "step": 1, "loss": 2.0, "learning_rate": 0.1, "step_seconds": 1.5},
            {"event": "step", "step": 2, "loss": 1.0, "learning_rate": 0.2, "step_seconds": 1.5},
            {"event": "scores", "step": 2, "scores": {"loss": 3.0, "f1": 0.5}},
            {"event": "finish", "best_step": 2},
        ]
    )
    assert history.plan["parameters"] == 7
    assert (history.steps, history.kept_step, history.seconds) == (2, 2, 3.0)
    assert history.loss.points == [(1, 2.0), (2, 1.0)]
    assert history.scores["loss"].points == [(2, 3.0)]


def test_a_running_mean_lies_between_its_values() -> None:
    points = [(step, float(step % 2)) for step in range(300)]
    found = smoothed(points)
    assert [step for step, _ in found] == list(range(300))
    assert all(0.3 < value < 0.7 for _, value in found)
