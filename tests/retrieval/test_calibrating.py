"""The scale of answers: what it learns of made-up candidates, and when it is none."""

from __future__ import annotations

import numpy as np
import pytest

from bertft.errors import RunError
from bertft.prediction.passages import Read
from bertft.prediction.predicted import Predicted
from bertft.retrieval.answering import Candidate, scored
from bertft.retrieval.calibrating import BLOCK, COLLECTION, Asked, fit, spread
from bertft.retrieval.index import Hit
from bertft.retrieval.passages import Passage


def candidate(logit: float, share: float, score: float) -> Candidate:
    hit = Hit("a.txt", Passage("a", "line", 1), score, 0.5, 0.0)
    return Candidate(Read(Predicted({"answer": "a", "score": 0.9}), logit, share), hit)


def questions(count: int, *, seed: int) -> list[Asked]:
    """Candidates that are right with a probability which their numbers tell."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        numbers = random.normal(size=(5, 3)) * [2, 0.2, 0.01] + [0, 0.2, 0.02]
        z = 0.7 * numbers[:, 0] + 100 * (numbers[:, 2] - 0.02) - 1.5
        right = (random.random(5) < 1 / (1 + np.exp(-z))).astype(float)
        found.append(Asked([candidate(*one) for one in numbers.tolist()], right))
    return found


def test_probabilities_hold_and_decide() -> None:
    fitted = fit(questions(400, seed=0), passages=100)
    assert fitted.weights == pytest.approx([0.7, 0, 100, -3.5], abs=0.9, rel=0.25)
    others = questions(1000, seed=1)
    best = [scored(fitted.scale, one.found)[0] for one in others]
    by_object = [
        one.right[next(i for i, own in enumerate(one.found) if own is chosen)]
        for one, (_, chosen) in zip(others, best, strict=True)
    ]
    assert np.mean([p for p, _ in best]) == pytest.approx(np.mean(by_object), abs=0.04)
    first = [one.right[int(np.argmax([c.read.logit for c in one.found]))] for one in others]
    assert np.mean(by_object) > np.mean(first) + 0.02
    assert fitted.error < 0.1
    given = [p >= fitted.least for (p, _), right in zip(best, by_object, strict=True) if right]
    assert np.mean(given) == pytest.approx(0.95, abs=0.04)


def test_questions_without_an_answer_count_as_not_right() -> None:
    asked = questions(100, seed=2)
    silent = [Asked([], np.zeros(0))] * 100
    assert fit(asked + silent, passages=9).right == pytest.approx(fit(asked, passages=9).right / 2)


@pytest.mark.parametrize("count", [0, 1, 49])
def test_too_few_questions_tell_nothing(count: int) -> None:
    with pytest.raises(RunError, match=rf"{count} answers to questions of dev are fewer than 50"):
        fit(questions(count, seed=3), passages=9)


def test_passages_are_those_of_the_whole_file_with_their_neighbours() -> None:
    found = [int(one) for one in spread([str(number) for number in range(1000)])]
    assert COLLECTION / 2 < len(found) <= COLLECTION
    assert found == sorted(set(found))
    assert found[-1] > 900
    starts = found[::BLOCK]
    assert found == [start + place for start in starts for place in range(BLOCK)]
    assert spread(["a", "b"]) == ["a", "b"]
