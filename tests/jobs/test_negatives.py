"""Hard negatives: found among the passages of the training data, never one that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from running import Ear

from bertft.encoder.load import load_encoder
from bertft.jobs.negatives import _mined, with_negatives
from bertft.loaders.pairs import Pair
from bertft.settings import ModelSettings
from bertft.tasks import make_task
from bertft.training.runtime import choose_runtime

ROWS = [
    ("is the film good", "the film is very good"),
    ("is the film bad", "the film is bad"),
    ("is the food good", "the food is great"),
    ("is the film good", "it is a good film"),
    ("yes no", "a slow plot"),
]
PAIRS = [Pair(str(i), i, question, passage) for i, (question, passage) in enumerate(ROWS)]


def found(tiny: Path, ear: Any = None, **options: Any) -> list[Pair]:
    task = make_task({"name": "retrieval", **options})
    model = ModelSettings(name=str(tiny), max_length=16)
    return with_negatives(
        task,
        PAIRS,
        load_encoder(model, offline=True),
        runtime=choose_runtime(device="cpu", precision="fp32"),
        model=model,
        watch=ear or Ear(),
    )


def test_none_unless_they_are_asked_for(tiny: Path) -> None:
    assert found(tiny) is PAIRS


def test_by_words(tiny: Path, ear: Ear) -> None:
    """The passage with most words of the question that does not answer it; without any, none."""
    negatives = [one.negatives for one in found(tiny, ear, mined="words")]
    assert negatives[0] == negatives[3] == ("the film is bad",)
    assert negatives[1] == ("the film is very good",)
    assert negatives[4] == ()
    assert ear.notes == [
        "4 hard negatives for 5 questions found by words among 5 passages of train"
    ]


def test_by_vectors(tiny: Path) -> None:
    first, again = (found(tiny, mined="vectors", mined_count=2) for _ in range(2))
    assert first == again  # a run that goes on finds the same ones
    for one in first:
        right = {passage for question, passage in ROWS if question == one.text}
        assert not right & {*one.negatives}
        assert len({*one.negatives}) == len(one.negatives) <= 2
    assert any(one.negatives for one in first)


@pytest.mark.parametrize(("near", "expected"), [(None, ("b",)), (0.95, ("c",)), (0.1, ())])
def test_what_is_too_near_may_answer(near: float | None, expected: tuple[str, ...]) -> None:
    import numpy as np

    rows = [Pair("1", 1, "q", "a"), Pair("2", 2, "r", "b"), Pair("3", 3, "s", "c")]
    scores = np.array([0.8, 0.79, 0.5])
    (first, *_) = _mined(rows, ["a", "b", "c"], lambda _: scores, count=1, near=near)
    assert first.negatives == expected


def test_those_of_the_file_stay(tiny: Path) -> None:
    own = [Pair("1", 1, "q", "a", ("x",)), Pair("2", 2, "r", "b")]
    import numpy as np

    (first, _) = _mined(own, ["a", "b"], lambda _: np.ones(2), count=1, near=None)
    assert first.negatives == ("x", "b")
