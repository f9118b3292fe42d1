"""--resume goes on with exactly the run that was started, or says what is different and stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from stopping import Stopper, crash, notes, outcome, resume, saved_step, sending

from bertft.commands.train import train
from bertft.errors import BertftError, DataError, Interrupted, RecipeError, RunError
from bertft.jobs.request import TrainRequest
from bertft.recipe import changes
from bertft.runs import resume as resuming
from bertft.runs.lock import locked
from bertft.training import folders, runtime
from bertft.training.folders import saved_folders
from bertft.training.probe import Speeds


@pytest.fixture
def run(stopped: Callable[..., Path]) -> Path:
    """A run that stopped after step 9; its checkpoints are those of the steps 9 and 8."""
    return stopped(9, sending(signal.SIGTERM))


def refuse(run: Path, error: type[BertftError], match: str) -> str:
    """Resuming fails with one line, and leaves every file as it was."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(error, match=match) as caught:
        resume(run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    return str(caught.value)


class TestRefused:
    @pytest.mark.parametrize("split", ["train", "dev", "test"])
    def test_other_data(self, run, reviews, split):
        with reviews[split].open("a", encoding="utf-8") as file:
            file.write("one more,good\n")
        line = refuse(run, RunError, rf"stopped cannot go on: .*{split}\.csv was changed \(SHA-256")
        assert line.endswith(f"put them back, or train anew: bertft train {run / 'recipe.toml'}")

    def test_data_that_have_gone(self, run, reviews):
        reviews["test"].unlink()
        refuse(run, DataError, r"test\.csv: no such file")

    @pytest.mark.parametrize(
        ("change", "difference"),
        [
            (
                ("learning_rate = 0.005", "learning_rate = 3e-05"),
                "training.learning_rate was 0.005, is 3e-05",
            ),
            (("seed = 13", "seed = 14"), "training.seed was 13, is 14"),
            (('schedule = "linear"', 'schedule = "constant"'), 'was "linear", is "constant"'),
            (("batch_size = 4", "batch_size = 8"), "training.batch_size was 4, is 8"),
        ],
    )
    def test_another_recipe(self, run, change, difference):
        path = run / "recipe.toml"
        text = path.read_text(encoding="utf-8")
        assert change[0] in text
        path.write_text(text.replace(*change), encoding="utf-8")
        assert difference in refuse(run, RunError, r"stopped cannot go on: training\.")

    def test_other_weights_of_the_encoder(self, ask, tiny, tmp_path):
        own = Path(shutil.copytree(tiny, tmp_path / "own"))
        request = ask("stopped", model=str(own))
        with pytest.raises(Interrupted):
            train(request, watch=Stopper(2, sending(signal.SIGTERM)))
        weights = bytearray((own / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (own / "model.safetensors").write_bytes(weights)
        refuse(Path(request.out), RunError, r"own/model\.safetensors was changed \(SHA-256")

    def test_other_labels(self, run, monkeypatch):
        now = resuming.environment
        monkeypatch.setattr(
            resuming, "environment", lambda job: now(job) | {"labels": ["good", "bad"]}
        )
        refuse(run, RunError, r'labels was \["bad", "good"\], is \["good", "bad"\]')

    @pytest.mark.parametrize(
        "field",
        [
            {"out": "b"},
            {"seed": 0},
            {"on_bad_row": "skip"},
            {"overrides": ("training.epochs=9",)},
        ],
    )
    def test_other_flags(self, tmp_path, field):
        with pytest.raises(RecipeError, match="--resume goes on with the run's own recipe"):
            train(TrainRequest(recipe="", resume=str(tmp_path), **field))

    def test_a_finished_run(self, run):
        resume(run)
        refuse(run, RunError, r"stopped is finished; bertft eval .*stopped, or train anew")

    @pytest.mark.parametrize("name", ["none", "stopped/last", "train.csv"])
    def test_a_wrong_path_is_no_fresh_start(self, run, tmp_path, name):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(RunError, match=r"is no run \(no recipe\.toml\); give the directory"):
            resume(tmp_path / name)
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("[]", "no JSON object"),
            ("null", "no JSON object"),
            ("{", "Expecting"),
            ('{"threads": "x"}', "threads: Input should be a valid integer"),
            ('{"versions": []}', "versions: Input should be a valid dictionary"),
            ('{"model": {"name": "m", "revision": "", "files": {"a": 1}}}', r"model\.files\.a: "),
            ('{"data": {"train": null}}', r"data\.train: "),
            ('{"labels": "bad"}', "labels: Input should be a valid list"),
        ],
    )
    def test_a_broken_environment_file(self, run, content, fault):
        (run / "environment.json").write_text(content, encoding="utf-8")
        refuse(run, RunError, rf"environment\.json: not readable \(.*{fault}.*\); fix it")

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"threads": "x"}, "threads: Input should be a valid integer"),
            ({"precision": "fp32"}, "precision: Input should be a valid dictionary"),
            ({"processes": None}, "processes: Input should be a valid integer"),
            ({"model": None}, "model: Input should be a valid dictionary"),
            (None, "content: Input should be a valid dictionary"),
            ([], "Input should be a valid dictionary"),
            ({}, "no data, device, labels, model, precision, processes, recipe, threads, versions"),
        ],
    )
    def test_a_checkpoint_with_a_broken_environment(self, run, change, fault):
        """Written so by someone who made the manifest again, too."""
        for folder in saved_folders(run / "last"):
            saved = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
            depends = saved["depends"]
            depends["environment"] = depends["environment"] | change if change else change
            (folder / "progress.json").write_text(json.dumps(saved), encoding="utf-8")
            (folder / folders.MANIFEST).unlink()
            folders._seal(folder)
        refuse(run, RunError, rf"progress\.json: not readable \(.*{fault}\)")

    def test_without_any_checkpoint(self, run):
        for folder in run.glob("last*"):
            shutil.rmtree(folder)
        refuse(run, RunError, r"has no checkpoint \(no last/\); train anew")


class TestTold:
    def test_other_versions_and_threads(self, run, whole, monkeypatch):
        now = resuming.environment

        def elsewhere(job):
            found = now(job)
            return found | {
                "threads": found["threads"] + 7,
                "versions": found["versions"] | {"torch": "9.0"},
            }

        monkeypatch.setattr(resuming, "environment", elsewhere)
        watch = Stopper(0, crash)
        resume(run, watch=watch)
        (torch,) = [note for note in watch.notes if "versions.torch was" in note]
        assert torch.startswith("not as when the run was started: ")
        assert torch.endswith('is "9.0"')
        threads = json.loads((run / "environment.json").read_text("utf-8"))["threads"]
        assert any(f"threads was {threads}, is {threads + 7}" in note for note in watch.notes)
        assert torch in notes(run)
        assert outcome(run) == whole

    def test_threads_of_its_own(self, run, whole, monkeypatch):
        """Another process, told nothing, would take as many as there are cores."""
        before = torch.get_num_threads()
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        torch.set_num_threads(before + 1)
        watch = Stopper(0, crash)
        try:
            resume(run, watch=watch)
            assert torch.get_num_threads() == before
        finally:
            torch.set_num_threads(before)
        assert not [note for note in watch.notes if note.startswith("not as when")]
        assert outcome(run) == whole

    def test_what_was_chosen_stays_chosen(self, ask, monkeypatch):
        """A second measurement of bf16 might come out otherwise."""
        request = ask("stopped", "training.precision=auto")
        monkeypatch.setattr(runtime, "cpu_speeds", lambda: Speeds(1.0, 2.0, 0.0, is_new=True))
        with pytest.raises(Interrupted):
            train(request, watch=Stopper(2, sending(signal.SIGTERM)))
        monkeypatch.setattr(runtime, "cpu_speeds", lambda: Speeds(1.0, 1.0, 0.0, is_new=True))
        watch = Stopper(0, crash)
        result = resume(Path(request.out), watch=watch)
        assert result.scores["precision"] == "bf16"
        assert not [note for note in watch.notes if note.startswith("not as when")]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


FILES = (
    "model.safetensors",
    "optimizer.safetensors",
    "progress.json",
    "manifest.json",
)


class TestDamage:
    @pytest.mark.parametrize("damage", [flip, cut, Path.unlink], ids=["flip", "cut", "gone"])
    @pytest.mark.parametrize("name", FILES)
    def test_the_checkpoint_before_is_used_and_that_is_said(self, run, whole, name, damage):
        damage(run / "last" / name)
        watch = Stopper(0, crash)
        resume(run, watch=watch)
        (note,) = [one for one in watch.notes if "is used instead" in one]
        assert note.startswith(f"{run / 'last'}: ")
        assert note.endswith(f": {run / 'last-1'} is used instead")
        assert note in notes(run)
        assert f"going on after step 8 of {run}" in watch.notes
        assert outcome(run) == whole

    def test_damaged_checkpoints_do_not_count(self, run):
        """The next save must not push out the whole one in favour of the damaged one."""
        flip(run / "last" / "model.safetensors")
        with pytest.raises(Interrupted):
            resume(run, watch=Stopper(11, sending(signal.SIGTERM)))
        assert [saved_step(run / name) for name in ("last", "last-1")] == [11, 8]

    def test_no_checkpoint_is_whole(self, run):
        for folder in run.glob("last*"):
            cut(folder / "optimizer.safetensors")
        line = refuse(run, RunError, r"last: damaged checkpoint, optimizer\.safetensors changed")
        assert "last-1: damaged checkpoint" in line
        assert line.endswith(f"train anew: bertft train {run / 'recipe.toml'}")

    @pytest.mark.parametrize("damage", [flip, Path.unlink])
    def test_best_weights_are_made_again(self, stopped, whole, damage):
        """Of the last checkpoint whose own weights they are."""
        run = stopped(5, sending(signal.SIGTERM))
        best = {path.name: path.read_bytes() for path in (run / "best").iterdir()}
        damage(run / "best" / "model.safetensors")
        watch = Stopper(12, lambda: None)
        with pytest.raises(Interrupted):
            resume(run, watch=Stopper(6, sending(signal.SIGTERM)))
        assert {path.name: path.read_bytes() for path in (run / "best").iterdir()} == best
        assert any("made again of the weights of step 4" in note for note in notes(run))
        resume(run, watch=watch)
        assert outcome(run) == whole

    def test_best_weights_that_no_checkpoint_has(self, stopped):
        settings = ("training.save_every=1",)
        run = stopped(7, sending(signal.SIGTERM), settings=settings)
        cut(run / "best" / "config.json")
        refuse(run, RunError, r"best: damaged checkpoint, config\.json changed .*; train anew")

    def test_a_rename_that_was_not_reached(self, run, whole):
        """Killed between two renames of a save: there is no last/, and no best/."""
        (run / "last-1").rename(run / "last-2")
        (run / "last").rename(run / "last-1")
        (run / "best").rename(run / "best-1")
        resume(run)
        assert outcome(run) == whole


class TestLock:
    def test_a_second_process_is_refused(self, run, whole):
        code = f"""
import sys
from bertft.runs.lock import locked
from pathlib import Path
with locked(Path({str(run)!r}), tell=print):
    print("held", flush=True)
    sys.stdin.read()
"""
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            refuse(run, RunError, r"stopped is being trained by another process")
            os.kill(other.pid, signal.SIGKILL)
            other.wait()
            resume(run)
        assert outcome(run) == whole

    def test_a_first_training_holds_it_too(self, ask):
        request = ask("run")
        seen = []

        def look() -> None:
            with (
                pytest.raises(RunError, match="another process"),
                locked(Path(request.out), tell=seen.append),
            ):
                pass

        train(request, watch=Stopper(3, look))
        with locked(Path(request.out), tell=seen.append):
            pass
        assert seen == []


def test_changes_are_named() -> None:
    was = {"a": 1, "b": {"c": [1], "d": "x"}, "gone": None}
    assert changes(was, was) == []
    now = {"a": 1.5, "b": {"c": [2], "d": "x"}, "new": False}
    assert changes(was, now) == ["a was 1, is 1.5", "b.c was [1], is [2]", "new was null, is false"]
    assert json.dumps(was)
