"""When the loop evaluates, which score is best, when it stops, and where progress stands."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from bertft.training import loop
from bertft.training.progress import Progress
from bertft.watch import StepReport

Start = Callable[..., SimpleNamespace]
BATCH = "training.batch_size=5"
"""12 examples: 3 steps in an epoch."""


def scripted(*accuracies: float) -> Callable[[], dict[str, float]]:
    """An evaluation that returns one value after the other, and no more than these."""
    remaining = iter(accuracies)
    return lambda: {"accuracy": next(remaining), "macro_f1": 0.0}


def run(
    started: SimpleNamespace,
    *accuracies: float,
    progress: Progress | None = None,
) -> list[StepReport]:
    evaluate = scripted(*accuracies)
    return list(loop.run(started.trainer, progress=progress or Progress(), evaluate=evaluate))


def evaluated(reports: Sequence[StepReport]) -> list[int]:
    return [report.step for report in reports if report.scores is not None]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (0, [3, 6, 9]),
        (1, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (2, [2, 4, 6, 8, 9]),
        (4, [4, 8, 9]),
        (9, [9]),
        (100, [9]),
    ],
)
def test_evaluations_come_as_asked_and_at_the_end(
    start: Start, every: int, expected: list[int]
) -> None:
    """After each epoch, or every n steps over epoch borders, and always after the last step."""
    started = start(BATCH, "training.epochs=3", f"training.evaluate_every={every}")
    reports = run(started, *[0.5] * len(expected))
    assert evaluated(reports) == expected
    assert [report.is_last for report in reports] == [False] * 8 + [True]


def test_without_evaluation_there_are_no_scores(start: Start) -> None:
    started = start(BATCH, "training.epochs=2", "training.early_stopping=1")
    progress = Progress()
    reports = list(loop.run(started.trainer, progress=progress, evaluate=None))
    assert evaluated(reports) == []
    assert not any(report.is_best for report in reports)
    assert progress.best_score is None


def test_the_last_weights_can_be_kept_instead(start: Start) -> None:
    settings = ("training.epochs=2", "training.evaluate_every=2", "training.keep=last")
    reports = run(start(BATCH, *settings), 0.9, 0.4, 0.7)
    assert [report.step for report in reports if report.is_best] == [6]
    stopped = run(start(BATCH, *settings, "training.early_stopping=1"), 0.9, 0.4)
    assert [report.step for report in stopped if report.is_best] == [4]


def test_the_best_score_is_the_highest_and_first(start: Start) -> None:
    """An equal score is no gain, so the earlier checkpoint stays."""
    started = start(BATCH, "training.epochs=2", "training.evaluate_every=1")
    progress = Progress()
    reports = run(started, 0.5, 0.4, 0.7, 0.7, 0.6, 0.7, progress=progress)
    assert [report.step for report in reports if report.is_best] == [1, 3]
    assert [(report.scores or {})["accuracy"] for report in reports] == [
        0.5, 0.4, 0.7, 0.7, 0.6, 0.7,
    ]  # fmt: skip
    assert (progress.best_score, progress.best_step) == (0.7, 3)
    assert progress.evaluations_without_gain == 3


def test_a_score_of_zero_is_a_first_best(start: Start) -> None:
    reports = run(start(BATCH), 0.0)
    assert [report.is_best for report in reports] == [False, False, True]


def test_the_recipe_names_the_score_that_counts(start: Start) -> None:
    started = start(BATCH, "training.metric=macro_f1", "training.evaluate_every=1")
    reports = run(started, 0.1, 0.2, 0.3)
    assert [report.is_best for report in reports] == [True, False, False]


@pytest.mark.parametrize(
    ("patience", "accuracies", "steps"),
    [
        (1, [0.5, 0.5], 2),
        (1, [0.5, 0.6, 0.7, 0.7], 4),
        (2, [0.5, 0.4, 0.6, 0.5, 0.6], 5),
        (3, [0.5, 0.4, 0.4, 0.4], 4),
        (0, [0.5, 0.4, 0.4, 0.4, 0.4, 0.4], 6),
        (6, [0.5, 0.4, 0.4, 0.4, 0.4, 0.4], 6),
    ],
)
def test_training_stops_after_evaluations_without_gain(
    start: Start, patience: int, accuracies: list[float], steps: int
) -> None:
    started = start(
        BATCH,
        "training.epochs=2",
        "training.evaluate_every=1",
        f"training.early_stopping={patience}",
    )
    reports = run(started, *accuracies)
    assert len(reports) == steps
    assert reports[-1].is_last
    assert not any(report.is_last for report in reports[:-1])
    stopped = len(reports) < 6
    assert bool(reports[-1].stop_reason) == stopped
    if stopped:
        assert f"{patience} evaluation" in reports[-1].stop_reason
    assert not any(report.stop_reason for report in reports[:-1])


def test_progress_is_up_to_date_at_each_report(start: Start) -> None:
    """What is left is always what was not yet done, so a saved progress is never half a step."""
    started = start(BATCH, "training.epochs=2", "training.evaluate_every=2")
    progress, number = Progress(), 0
    evaluate = scripted(0.5, 0.4, 0.6)
    for report in loop.run(started.trainer, progress=progress, evaluate=evaluate):
        number += 1
        assert progress.step == report.step == number
        assert (progress.epoch, progress.next_step) == divmod(number, 3)
        assert report.epoch == (number - 1) // 3
        assert report.total_steps == 6
        assert report.seconds > 0
        if report.is_best:
            assert progress.best_step == number
    assert number == 6
    assert progress.best_score == 0.6


@pytest.mark.parametrize("done", range(7))
def test_a_copy_of_progress_goes_on_where_it_was(start: Start, done: int) -> None:
    started = start(BATCH, "training.epochs=2", "training.evaluate_every=1")
    progress = Progress()
    steps = loop.run(
        started.trainer, progress=progress, evaluate=scripted(*[0.1 * i for i in range(6)])
    )
    for _ in range(done):
        next(steps)
    saved = Progress.from_state_dict(copy.deepcopy(progress.state_dict()))
    rest = run(started, *[0.1 * i for i in range(done, 6)], progress=saved)
    assert [report.step for report in rest] == list(range(done + 1, 7))
    assert all(report.is_best for report in rest)
    assert saved.step == 6


def test_a_run_that_stopped_early_does_not_go_on(start: Start) -> None:
    """Killed after its last checkpoint and before its scores, it is done when it is resumed."""
    started = start(
        BATCH, "training.epochs=2", "training.evaluate_every=1", "training.early_stopping=1"
    )
    progress = Progress()
    run(started, 0.5, 0.5, progress=progress)
    assert run(started, 0.9, 0.9, 0.9, 0.9, progress=progress) == []
