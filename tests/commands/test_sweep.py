"""Sweeps of the tiny model: what they leave, and that stopping them changes nothing."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults.processes import Ended, dying_at, run_command
from samples import FAST, set_flags
from stopping import Stopper, sending

from bertft.commands import sweep as verb
from bertft.commands.sweep import sweep
from bertft.errors import Interrupted, RunError
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe
from bertft.search.request import SweepRequest

OVER = ("training.learning_rate=1e-4..1e-2:log", "training.epochs=1,6")
TRIALS = 7
SETTINGS = tuple(one for one in FAST if "epochs" not in one and "learning_rate" not in one)

Ask = Callable[..., SweepRequest]


@pytest.fixture(scope="module")
def home(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and an encoder, for all sweeps of this file."""
    from samples import write_reviews

    folder = tmp_path_factory.mktemp("sweeps")
    write_reviews(folder)
    shutil.copytree(tiny, folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def ask(home: Path) -> Ask:
    def make(out: str, *, over: tuple[str, ...] = OVER, trials: int = TRIALS) -> SweepRequest:
        files = {name: str(home / f"{name}.csv") for name in ("train", "dev", "test")}
        train = TrainRequest(
            recipe="sentiment",
            overrides=SETTINGS,
            model=str(home / "tiny"),
            out=str(home / out),
            **files,
        )
        return SweepRequest(train=train, over=over, trials=trials)

    return make


def outcome(folder: Path) -> dict[str, Any]:
    """What a kill must not change: trials with their scores, the winner and its predictions."""
    plan = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    trials = folder / "trials"
    run = trials / f"{plan['winner']:04}"
    with sqlite3.connect(folder / "study.db") as file:
        rows = {
            table: file.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}").fetchall()
            for table, columns in (
                ("trials", "number, state"),
                ("trial_params", "trial_id, param_name, param_value"),
                ("trial_values", "trial_id, value"),
                ("trial_intermediate_values", "trial_id, step, intermediate_value"),
            )
        }
    scores = {
        path.parent.name: json.loads(path.read_text()) for path in trials.glob("*/scores.json")
    }
    return {
        "plan": plan,
        "rows": rows,
        "scores": scores,
        "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*")),
        "predictions": (run / "eval" / "test" / "predictions.jsonl").read_text(encoding="utf-8"),
        "recipe": (folder / "winner.toml").read_text(encoding="utf-8"),
        "weights": (run / "best" / "model.safetensors").read_bytes(),
    }


@pytest.fixture(scope="module")
def whole(ask: Ask, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A sweep that nothing has disturbed: its result, its folder, what it came to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        result = sweep(ask("whole"))
    assert result is not None
    return {"result": result, "folder": result.folder, "outcome": outcome(result.folder)}


def test_of_losers_only_recipe_and_scores_stay(whole):
    result = whole["result"]
    assert len(result.trials) == TRIALS
    for trial in result.trials:
        run = result.folder / "trials" / f"{trial.number:04}"
        left = {path.name for path in run.iterdir()}
        if trial == result.winner:
            assert left >= {"best", "eval", "journal.jsonl", "environment.json"}
        else:
            assert left == {"recipe.toml", "scores.json"}
        recipe = load_recipe(str(run / "recipe.toml"))
        assert recipe.training.epochs == trial.params["training.epochs"]
        assert recipe.training.learning_rate == trial.params["training.learning_rate"]
        assert recipe.data.test == "", "no trial sees the test set"


def test_the_winner_is_the_best_on_dev_and_alone_scored_on_test(whole):
    result = whole["result"]
    complete = [one for one in result.trials if one.state == "complete"]
    assert result.winner.value == max(one.value for one in complete)
    assert (result.test["split"], result.test["n"]) == ("test", 24)
    assert list(result.folder.glob("trials/*/eval/*")) == [result.run / "eval" / "test"]


def test_the_winning_recipe_can_be_trained(whole, home):
    text = (whole["folder"] / "winner.toml").read_text(encoding="utf-8")
    assert "#   training.learning_rate = 1e-4..1e-2:log\n" in text
    recipe = load_recipe(str(whole["folder"] / "winner.toml"))
    params = whole["result"].winner.params
    assert recipe.training.learning_rate == params["training.learning_rate"]
    assert recipe.data.test == str(home / "test.csv")


def test_the_report_tells_course_importance_and_trials(whole):
    page = (whole["folder"] / "report.html").read_text(encoding="utf-8")
    assert "Course of the search" in page
    assert "Importance of the settings" in page
    assert "Scored once, after the winner was chosen." in page
    assert page.count("<tr>") > TRIALS


@pytest.mark.slow
def test_killed_five_times_it_ends_with_the_trials_of_one_that_was_not(ask, home, whole, tmp_path):
    """Wherever a kill hits: while a run is made, trained, scored or cleared away."""
    folder = home / "killed"
    request = ask("killed").train
    given = [f"--{name}={getattr(request, name)}" for name in ("train", "dev", "test", "model")]
    over = [f"--over={one}" for one in OVER]
    flags = set_flags(*request.overrides)
    begin = ["sweep", "sentiment", *given, *over, *flags, "--trials", str(TRIALS)]

    def go(number: int, *arguments: str) -> Ended:
        die = dying_at(number, folder) if number else None
        return run_command(*arguments, log=tmp_path / "log", before=die)

    for kill, number in enumerate([60, 400, 17, 150, 333]):
        arguments = (
            ["--resume", str(folder)] if folder.exists() else [*begin[1:], "--out", str(folder)]
        )
        ended = go(number, "sweep", *arguments)
        assert ended.code == -signal.SIGKILL, f"{kill}: {ended.said}"
    ended = go(0, "sweep", "--resume", str(folder))
    assert ended.code == 0, ended.said
    assert without_place(outcome(folder), "killed") == without_place(whole["outcome"], "whole")


def without_place(found: dict[str, Any], name: str) -> dict[str, Any]:
    return found | {"recipe": found["recipe"].replace(f"/{name}/", "/")}


def test_a_trial_that_ended_but_was_not_told_is_not_trained_again(ask, home, whole, monkeypatch):
    """Killed between the end of a training and the study's word of it."""
    folder = home / "untold"
    end, trained = verb.Study.end, []

    def dying(self: Any, number: int, **told: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(verb.Study, "end", dying)
        with pytest.raises(ZeroDivisionError):
            sweep(ask("untold"))
    assert (folder / "trials" / "0000" / "scores.json").is_file()
    train = verb.train
    monkeypatch.setattr(verb, "train", lambda *a, **k: (trained.append(a), train(*a, **k))[1])
    monkeypatch.setattr(verb.Study, "end", end)
    sweep(SweepRequest(train=TrainRequest(recipe=""), resume=str(folder)))
    assert len(trained) == TRIALS - 1
    assert outcome(folder)["rows"] == whole["outcome"]["rows"]


def test_a_signal_says_how_it_goes_on(ask, home, whole):
    folder = home / "stopped"
    with pytest.raises(Interrupted) as caught:
        sweep(ask("stopped"), watch=Stopper(3, sending(signal.SIGTERM)))
    said = f"stopped by SIGTERM; go on with: bertft sweep --resume {folder}"
    assert (str(caught.value), caught.value.exit_code) == (said, 143)
    sweep(SweepRequest(train=TrainRequest(recipe=""), resume=str(folder)))
    assert outcome(folder)["rows"] == whole["outcome"]["rows"]
    assert outcome(folder)["weights"] == whole["outcome"]["weights"]


def test_pruned_and_failed_trials_leave_their_scores(ask, ear, home, monkeypatch):
    """The second is given up after its first epoch, the third has a loss that is no number."""
    monkeypatch.setattr(
        verb.Study, "is_hopeless", lambda _self, number, *, epoch, score: number == 1
    )
    from bertft.training import loop

    monkeypatch.setattr(loop, "_clip", nan_at(4, loop._clip))
    result = sweep(ask("lost", over=("training.epochs=2,3,4",), trials=3), watch=ear)
    states = [(one.state, one.value is None) for one in result.trials]
    assert states == [("complete", False), ("pruned", True), ("failed", True)]
    pruned = json.loads((result.folder / "trials" / "0001" / "scores.json").read_text())
    assert pruned["note"].startswith("pruned: after 1 epoch: accuracy 0.")
    assert any("trial 2 is given up after 1 epoch" in note for note in ear.notes)
    assert any("trial 3 failed: the loss is nan" in note for note in ear.notes)


def nan_at(epochs: int, clip: Callable[..., float]) -> Callable[..., float]:
    """Of a training with so many epochs, no gradient is a number."""
    from bertft.errors import TrainingError

    def broken(trainer: Any, batch: Any, *, step: int) -> float:
        if trainer.settings.epochs == epochs:
            raise TrainingError(f"the loss is nan at step {step}")
        return clip(trainer, batch, step=step)

    return broken


def test_without_a_score_there_is_no_winner(ask, monkeypatch):
    from bertft.training import loop

    monkeypatch.setattr(loop, "_clip", nan_at(2, nan_at(3, loop._clip)))
    with pytest.raises(RunError, match=r"no trial of .* ended with a score: the loss is nan"):
        sweep(ask("none", over=("training.epochs=2,3",), trials=2))


class TestCommandLine:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "sweep needs a recipe, or --resume with a folder"),
            (("sentiment",), "a sweep needs settings to search"),
            (("--resume", "x", "--trials", "3"), "--resume goes on with what the sweep was asked"),
            (("--resume", "x"), "x is no sweep (no sweep.json)"),
            (("sentiment", "--over", "training.epoch=1,2"), "did you mean 'training.epochs'?"),
            (
                ("sentiment", "--over", "training.epochs=1,2", "--set", "data.dev_share=0",
                 "--set", 'data.dev=""'),
                "a sweep chooses by dev scores",
            ),
        ],
    )  # fmt: skip
    def test_a_slip_is_one_line(self, command, arguments, said):
        code, out, err = command("sweep", *arguments)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert said in err

    def test_without_optuna(self, command, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        code, _, err = command("sweep", "sentiment", "--over", "training.epochs=1,2")
        assert code == 2
        assert err.strip().endswith("a sweep needs optuna and sklearn; pip install 'bertft[sweep]'")

    def test_features_and_the_table(self, command, home):
        code, out, err = command(
            "sweep", "sentiment", "--features", "--model", str(home / "tiny"),
            "--train", str(home / "train.csv"), "--dev", str(home / "dev.csv"),
            "--over", "training.epochs=1,2", "--set", "model.max_length=64", "--out", "found",
        )  # fmt: skip
        assert (code, out) == (0, ""), err
        assert "2 combinations in all: each is tried once" in err
        assert "trial 1 of 2: training.epochs=1" in err
        assert "there is no test set, and its dev score is too high" in err
        assert "winner  trial " in err
        recipe = load_recipe("found/winner.toml")
        assert (recipe.training.mode, recipe.training.learning_rate) == ("features", 1e-3)
        assert command("sweep", "--resume", "found")[0] == 0, "a sweep that is done says it again"
