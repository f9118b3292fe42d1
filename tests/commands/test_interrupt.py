"""Stop a training anywhere and go on: the weights end byte-equal to those of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import FAST, write_reviews

from bertft.commands.prepare import TrainRequest
from bertft.commands.train import TrainResult, train
from bertft.commands.watch import Silent
from bertft.console import Console
from bertft.contracts import StepReport
from bertft.errors import BertftError, Interrupted, RecipeError, RunError

STEPS = 12  # 2 epochs of 6
SETTINGS = ("training.evaluate_every=4",)


class Stopper(Silent):
    """Does something when a step is reached."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._step = step
        self._act = act

    def step(self, report: StepReport) -> None:
        if report.step == self._step:
            self._act()


def sending(number: int, *, times: int = 1) -> Callable[[], None]:
    def send() -> None:
        for _ in range(times):
            os.kill(os.getpid(), number)

    return send


def crash() -> None:
    raise ZeroDivisionError


def resume(run: Path) -> TrainResult:
    result = train(TrainRequest(recipe="", resume=str(run)))
    assert result is not None
    return result


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run leaves."""
    folder = tmp_path_factory.mktemp("whole")
    files = {name: str(path) for name, path in write_reviews(folder).items()}
    settings = (*FAST, *SETTINGS)
    out = str(folder / "run")
    request = TrainRequest(
        recipe="sentiment", overrides=settings, model=str(tiny), out=out, **files
    )
    return outcome(train(request).run)


def outcome(run: Path) -> dict[str, bytes]:
    names = ("best/model.safetensors", "last/model.safetensors", "last/optimizer.safetensors")
    return {name: (run / name).read_bytes() for name in (*names, "predictions.jsonl")}


def steps(run: Path) -> list[int]:
    rows = map(json.loads, (run / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    return [row["step"] for row in rows if row["event"] == "step"]


@pytest.fixture
def stopped(ask) -> Callable[..., Path]:
    """Trains until ``act`` at a step ends it; the run directory."""

    def stop(step: int, act: Callable[[], None], error: type[Exception] = Interrupted) -> Path:
        request = ask("stopped", *SETTINGS)
        with pytest.raises(error):
            train(request, watch=Stopper(step, act))
        return Path(request.out)

    return stop


class TestSignals:
    @pytest.mark.parametrize(
        ("step", "number", "code"),
        [(1, signal.SIGTERM, 143), (6, signal.SIGINT, 130), (8, signal.SIGTERM, 143)],
        ids=["before any evaluation", "at the end of an epoch", "after an evaluation"],
    )
    def test_the_step_is_finished_and_saved_and_training_goes_on(
        self, ask, whole, step, number, code
    ):
        request = ask("stopped", *SETTINGS)
        with pytest.raises(Interrupted) as caught:
            train(request, watch=Stopper(step, sending(number)))
        run = Path(request.out)
        assert caught.value.exit_code == code
        name = signal.Signals(number).name
        expected = f"stopped by {name} after step {step}; go on with: bertft train --resume {run}"
        assert str(caught.value) == expected
        assert not (run / "scores.json").exists()
        saved = json.loads((run / "last" / "progress.json").read_text(encoding="utf-8"))
        assert saved["progress"]["step"] == step
        assert resume(run).run == run
        assert outcome(run) == whole
        assert steps(run) == list(range(1, STEPS + 1))

    def test_a_second_signal_is_safe(self, stopped, whole):
        run = stopped(5, sending(signal.SIGTERM, times=2))
        resume(run)
        assert outcome(run) == whole

    def test_twice_interrupted(self, stopped, whole):
        run = stopped(3, sending(signal.SIGINT))
        with pytest.raises(Interrupted):
            train(
                TrainRequest(recipe="", resume=str(run)),
                watch=Stopper(10, sending(signal.SIGINT)),
            )
        resume(run)
        assert outcome(run) == whole

    def test_a_signal_at_the_last_step_changes_nothing(self, ask, whole):
        result = train(ask("late", *SETTINGS), watch=Stopper(STEPS, sending(signal.SIGTERM)))
        assert outcome(result.run) == whole

    def test_the_handlers_of_the_caller_come_back(self, stopped):
        before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
        stopped(2, sending(signal.SIGTERM))
        assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_on_the_command_line(self, command, ask, whole, monkeypatch, tmp_path, number, code):
        request = ask("ignored", *SETTINGS)
        flags = [word for one in request.overrides for word in ("--set", one)]
        for name in ("train", "dev", "test", "model"):
            flags += [f"--{name}", getattr(request, name)]
        with monkeypatch.context() as patch:
            watch = Stopper(7, sending(number))
            patch.setattr(Console, "step", lambda _self, report: watch.step(report))
            found, out, err = command("train", "sentiment", *flags, "--out", "run")
        assert (found, out) == (code, "")
        last = err.splitlines()[-1]
        assert last.endswith("after step 7; go on with: bertft train --resume run")
        assert "Traceback" not in err
        assert command("train", "--resume", "run")[0] == 0
        assert outcome(tmp_path / "run") == whole


class TestCrash:
    def test_goes_on_from_the_last_evaluation(self, stopped, whole):
        run = stopped(7, crash, ZeroDivisionError)
        saved = json.loads((run / "last" / "progress.json").read_text(encoding="utf-8"))
        assert saved["progress"]["step"] == 4
        resume(run)
        assert outcome(run) == whole

    def test_after_the_last_step_only_the_scores_are_made(self, stopped, whole):
        run = stopped(STEPS, crash, ZeroDivisionError)
        assert not (run / "scores.json").exists()
        resume(run)
        assert outcome(run) == whole
        assert steps(run) == list(range(1, STEPS + 1))

    def test_before_the_first_checkpoint(self, stopped):
        run = stopped(2, crash, ZeroDivisionError)
        with pytest.raises(RunError, match=r"has no checkpoint \(no last/\); train anew"):
            resume(run)


class TestRefusedResume:
    @pytest.fixture
    def run(self, stopped) -> Path:
        return stopped(5, sending(signal.SIGTERM))

    def refuse(self, run: Path, error: type[BertftError], match: str) -> None:
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        with pytest.raises(error, match=match):
            resume(run)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    def test_with_other_data(self, run, reviews):
        with reviews["train"].open("a", encoding="utf-8") as file:
            file.write("one more,good\n")
        self.refuse(run, RunError, r"train\.csv changed since .* was started; train anew")

    @pytest.mark.parametrize(
        "change", [("learning_rate = 0.005", "learning_rate = 0.004"), ("seed = 13", "seed = 14")]
    )
    def test_with_another_recipe(self, run, change):
        path = run / "recipe.toml"
        text = path.read_text(encoding="utf-8")
        assert change[0] in text
        path.write_text(text.replace(*change), encoding="utf-8")
        self.refuse(run, RunError, r"stopped.last was saved by another recipe; train anew")

    def test_of_a_damaged_checkpoint(self, run):
        path = run / "last" / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        self.refuse(run, RunError, r"damaged checkpoint, model\.safetensors changed after saving")

    @pytest.mark.parametrize(
        "field",
        [
            {"train": "a.csv"},
            {"dev": "a.csv"},
            {"test": "a.csv"},
            {"model": "minilm"},
            {"out": "b"},
            {"seed": 0},
            {"on_bad_row": "skip"},
            {"overrides": ("training.epochs=9",)},
        ],
    )
    def test_with_other_flags(self, run, field):
        with pytest.raises(RecipeError, match="--resume goes on with the run's own recipe"):
            train(TrainRequest(recipe="", resume=str(run), **field))
