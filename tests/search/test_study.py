"""What is tried next depends on the seed, the number and the trials before: on nothing else."""

from __future__ import annotations

import pytest

from bertft.recipe import load_recipe
from bertft.search.space import read_space
from bertft.search.study import Study, Trial

SPACE = read_space(
    load_recipe("sentiment"), ["training.learning_rate=1e-5..5e-4:log", "training.epochs=2,3,5"]
)
TRIALS = 16


def score(trial: Trial) -> float:
    return trial.params["training.epochs"] - 1e3 * trial.params["training.learning_rate"]


def search(path, *, reopen: bool, seed: int = 13) -> list[Trial]:
    study = Study(path, SPACE, metric="accuracy", seed=seed)
    for number in range(TRIALS):
        trial = study.begin(number, trials=TRIALS)
        if reopen:  # as after a kill: the trial has begun, and is begun again
            study.close()
            study = Study(path, SPACE, metric="accuracy", seed=seed)
            assert study.begin(number, trials=TRIALS) == trial
        study.is_hopeless(number, epoch=1, score=score(trial) / 2)
        if number % 5 == 4:
            study.end(number, state="failed", note="loss is nan")
        else:
            study.end(number, state="complete", value=score(trial))
    found = study.trials()
    study.close()
    return found


def test_a_study_that_is_opened_again_goes_on_as_it_would_have(tmp_path):
    whole = search(tmp_path / "whole.db", reopen=False)
    assert search(tmp_path / "stopped.db", reopen=True) == whole
    assert search(tmp_path / "other.db", reopen=False, seed=14) != whole
    assert [one.number for one in whole] == list(range(TRIALS))
    assert len({str(one.params) for one in whole}) == TRIALS
    assert {one.state for one in whole} == {"complete", "failed"}
    rates = [one.params["training.learning_rate"] for one in whole]
    assert all(1e-5 <= rate <= 5e-4 and float(f"{rate:.3g}") == rate for rate in rates)


def test_it_learns_from_the_trials_before(tmp_path):
    found = search(tmp_path / "study.db", reopen=False)
    late = [score(one) for one in found[11:]]
    early = [score(one) for one in found[:11]]
    assert sum(late) / len(late) > sum(early) / len(early)


def test_all_combinations_in_turn_where_there_are_few(tmp_path):
    space = read_space(load_recipe("sentiment"), ["training.epochs=2..3", "model.max_length=8,16"])
    study = Study(tmp_path / "study.db", space, metric="accuracy", seed=1)
    tried = []
    for number in range(4):
        tried.append(tuple(study.begin(number, trials=9).params.values()))
        study.end(number, state="complete", value=0.5)
    study.close()
    assert tried == [(2, 8), (2, 16), (3, 8), (3, 16)]


@pytest.mark.parametrize(("metric", "best"), [("accuracy", 2), ("perplexity", 1)])
def test_the_best_is_the_first_of_equals(tmp_path, metric, best):
    study = Study(tmp_path / "study.db", SPACE, metric=metric, seed=1)
    for number, value in enumerate([0.5, 0.2, 0.9, 0.9, 0.2]):
        study.begin(number, trials=5)
        study.end(number, state="complete", value=value)
    found = study.best()
    study.close()
    assert found is not None
    assert found.number == best


def test_what_is_worse_than_the_median_is_given_up(tmp_path):
    study = Study(tmp_path / "study.db", SPACE, metric="accuracy", seed=1)
    for number in range(5):
        study.begin(number, trials=7)
        assert not study.is_hopeless(number, epoch=1, score=0.5 + number / 100)
        study.end(number, state="complete", value=0.6)
    study.begin(5, trials=7)
    assert not study.is_hopeless(5, epoch=1, score=0.53)
    assert study.is_hopeless(5, epoch=2, score=0.1) is False, "no other has come so far"
    study.end(5, state="complete", value=0.53)
    study.begin(6, trials=7)
    assert study.is_hopeless(6, epoch=1, score=0.51)
    assert study.is_hopeless(6, epoch=1, score=0.51), "told again after a kill"
    study.close()
