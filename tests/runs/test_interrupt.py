"""Stop a training anywhere and go on: the weights end byte-equal to those of an undisturbed run."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stopping import (
    SETTINGS,
    STEPS,
    Stopper,
    crash,
    events,
    figures,
    notes,
    outcome,
    resume,
    saved_step,
    sending,
)

from bertft.commands.train import train
from bertft.console.console import Console
from bertft.errors import Interrupted
from bertft.runs import fitting, saving, start
from bertft.watch import Silent


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
        watch = Stopper(step, sending(number))
        with pytest.raises(Interrupted) as caught:
            train(request, watch=watch)
        run = Path(request.out)
        assert caught.value.exit_code == code
        name = signal.Signals(number).name
        expected = f"stopped by {name} after step {step}; go on with: bertft train --resume {run}"
        assert str(caught.value) == expected
        assert f"{name}: the step is finished and saved first" in watch.notes
        assert not (run / "scores.json").exists()
        assert saved_step(run / "last") == step
        assert resume(run).run == run
        assert outcome(run) == whole

    def test_a_second_signal_is_safe(self, stopped, whole):
        run = stopped(5, sending(signal.SIGTERM, times=2))
        resume(run)
        assert outcome(run) == whole

    def test_a_step_is_saved_once(self, stopped):
        """After an evaluation it is saved already: an older checkpoint would go for nothing."""
        run = stopped(8, sending(signal.SIGTERM))
        assert (saved_step(run / "last"), saved_step(run / "last-1")) == (8, 4)

    def test_twice_interrupted(self, stopped, whole):
        run = stopped(3, sending(signal.SIGINT))
        with pytest.raises(Interrupted):
            resume(run, watch=Stopper(10, sending(signal.SIGINT)))
        resume(run)
        assert outcome(run) == whole

    def test_a_signal_at_the_last_step_changes_nothing(self, ask, whole):
        result = train(ask("late", *SETTINGS), watch=Stopper(STEPS, sending(signal.SIGTERM)))
        assert outcome(result.run) == whole

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    @pytest.mark.parametrize("name", ["dev_scorer", "save_best"])
    def test_while_something_else_is_done(self, ask, whole, monkeypatch, name, number):
        """Twice during each evaluation or save: the first ends the run, the second nothing."""
        request = ask("stopped", *SETTINGS)
        self.disturb(monkeypatch, name, sending(number, times=2))
        with pytest.raises(Interrupted, match=r"after step 4; go on with"):
            train(request)
        monkeypatch.undo()
        resume(Path(request.out))
        assert outcome(Path(request.out)) == whole

    def disturb(self, monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
        make = getattr(fitting, name)

        def scorer(*arguments: Any) -> Callable[[], Any]:
            inner = make(*arguments)
            return lambda: (act(), inner())[1]

        def saver(*arguments: Any, step: int, scores: Any, describe: Any) -> None:
            act()
            make(*arguments, step=step, scores=scores, describe=describe)

        monkeypatch.setattr(fitting, name, scorer if name == "dev_scorer" else saver)

    def test_before_there_is_a_run(self, ask, monkeypatch):
        """While texts are encoded there is nothing to save, and nothing is left behind."""
        request = ask("stopped", *SETTINGS)
        monkeypatch.setattr(start, "build_model", lambda _job: sending(signal.SIGTERM)())
        with pytest.raises(Interrupted, match="stopped by SIGTERM before training began") as caught:
            train(request)
        assert caught.value.exit_code == 143
        assert not [path for path in Path(request.out).parent.iterdir() if "stopped" in path.name]

    def test_while_a_stopped_run_is_read(self, stopped, whole, monkeypatch):
        run = stopped(5, sending(signal.SIGTERM))
        with monkeypatch.context() as patch:
            patch.setattr(start, "build_model", lambda _job: sending(signal.SIGINT)())
            with pytest.raises(Interrupted, match=rf"SIGINT; go on with: .* --resume {run}"):
                resume(run)
        resume(run)
        assert outcome(run) == whole

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_while_the_final_scores_are_made(self, ask, whole, monkeypatch, number):
        class AtTheEnd(Silent):
            def advance(
                self, done: int, fraction: float | None, *, total: int | None = None
            ) -> None:
                sending(number)()

        request = ask("stopped", *SETTINGS)
        run = Path(request.out)
        with pytest.raises(Interrupted, match=rf"; go on with: bertft train --resume {run}"):
            train(request, watch=AtTheEnd())
        assert not (run / "scores.json").exists()
        resume(run)
        assert outcome(run) == whole

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
        assert saved_step(run / "last") == 4
        resume(run)
        assert outcome(run) == whole

    def test_after_the_last_step_only_the_scores_are_made(self, stopped, whole):
        run = stopped(STEPS, crash, ZeroDivisionError)
        assert not (run / "scores.json").exists()
        resume(run)
        assert outcome(run) == whole

    def test_before_the_first_evaluation(self, stopped, whole):
        """A run directory can be resumed from its first moment."""
        run = stopped(2, crash, ZeroDivisionError)
        assert saved_step(run / "last") == 0
        resume(run)
        assert outcome(run) == whole

    def test_steps_that_are_done_again_are_in_the_journal_once(self, stopped, whole):
        run = stopped(7, crash, ZeroDivisionError)
        assert [one["step"] for one in figures(run)] == [1, 2, 3, 4, 5, 6, 7, 4]
        with (run / "journal.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"event": "step", "step": 8, "lo')
        resume(run)
        assert figures(run) == whole["figures"]
        assert f"going on after step 4 of {run}" in notes(run)
        assert [one["event"] for one in events(run)].count("plan") == 1

    def test_a_finished_run_keeps_its_last_checkpoint_only(self, stopped):
        run = stopped(7, crash, ZeroDivisionError)
        resume(run)
        assert sorted(path.name for path in run.iterdir() if path.is_dir()) == ["best", "last"]


class TestWhenToSave:
    def test_after_so_many_steps(self, stopped, whole):
        settings = ("training.save_every=3", "training.keep_checkpoints=3")
        run = stopped(10, crash, ZeroDivisionError, settings=settings)
        saved = {path.name: saved_step(path) for path in run.glob("last*")}
        assert saved == {"last": 9, "last-1": 8, "last-2": 6}
        resume(run)
        assert outcome(run) == whole

    def test_by_time(self, stopped, whole, monkeypatch):
        """No step is asked for: after some minutes, here none."""
        monkeypatch.setattr(saving, "AUTOMATIC", 0.0)
        monkeypatch.setattr(saving, "SHARE", 1e9)
        run = stopped(7, crash, ZeroDivisionError)
        assert (saved_step(run / "last"), saved_step(run / "last-1")) == (7, 6)
        resume(run)
        assert outcome(run) == whole

    def test_saving_takes_little_of_the_time(self, monkeypatch):
        """A save of 10 s is repeated after 500 s, not after 300."""
        now = 0.0
        monkeypatch.setattr(saving.time, "perf_counter", lambda: now)

        def save() -> None:
            nonlocal now
            now += 10.0

        clock = saving.SaveClock(save, step=0, every=0)
        now = 299.0
        assert not clock.time_is_up()
        now = 300.0
        assert clock.time_is_up()
        clock.save(1)
        now += 499.0
        assert not clock.time_is_up()
        now += 1.0
        assert clock.time_is_up()

    def test_one_checkpoint_only(self, stopped, whole):
        run = stopped(9, crash, ZeroDivisionError, settings=("training.keep_checkpoints=1",))
        assert [path.name for path in run.glob("*last*")] == ["last"]
        resume(run)
        assert outcome(run) == whole
