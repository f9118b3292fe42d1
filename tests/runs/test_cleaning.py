"""runs clean: what can go goes, no model is lost, and nothing without being asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import Command

from bertft.commands.train import train
from bertft.jobs.request import TrainRequest
from bertft.runs.cleaning import find_leftovers, remove_leftovers
from bertft.runs.lock import locked


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of each kind: done (with a checkpoint, a start and an evaluation), half, no model."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs"
    for name in ("done", "half", "bare"):
        shutil.copytree(trained, folder / name)
        (folder / name / "last").mkdir(exist_ok=True)
        (folder / name / "last" / "progress.json").write_text("{}", encoding="utf-8")
    for name in ("half", "bare"):
        (folder / name / "scores.json").unlink()
    shutil.rmtree(folder / "bare" / "best")
    (folder / "done" / "eval" / "test-1").mkdir(parents=True)
    (folder / "done-start").mkdir()
    (folder / "done-start" / "config.json").write_text("{}", encoding="utf-8")
    return folder


def found(**kinds: bool) -> list[str]:
    return [one.folder.as_posix() for one in find_leftovers(**kinds)]


def test_a_finished_run_keeps_no_checkpoint(ask: Callable[..., TrainRequest]) -> None:
    result = train(ask("run", "training.keep_state=false"))
    assert result is not None
    assert [path.name for path in result.run.iterdir() if path.is_dir()] == ["best"]
    assert (result.run / "scores.json").is_file()


def test_what_can_go(runs: Path) -> None:
    assert found() == ["runs/done/last", "runs/done-start"]
    assert found(evals=True) == ["runs/done/last", "runs/done-start", "runs/done/eval/test-1"]


def test_an_unfinished_run_goes_on_demand_and_never_with_the_only_model(runs: Path) -> None:
    assert found(unfinished=True)[2:] == ["runs/bare"]


def test_a_run_that_is_being_trained_is_left_alone(runs: Path) -> None:
    leftovers = find_leftovers(unfinished=True)
    with locked(runs / "bare", tell=print), locked(runs / "done", tell=print):
        assert found(unfinished=True) == []
        removed, kept = remove_leftovers(leftovers)
    assert removed == []
    assert len(kept) == 3
    assert all("is being trained by another process" in reason for reason in kept)
    assert (runs / "bare" / "recipe.toml").is_file()


def test_a_run_that_was_finished_meanwhile_is_kept(runs: Path) -> None:
    leftovers = [one for one in find_leftovers(unfinished=True) if one.why == "unfinished run"]
    shutil.copytree(runs / "done" / "best", runs / "bare" / "best")
    assert remove_leftovers(leftovers) == ([], ["runs/bare has a model by now"])


def test_a_start_that_an_unfinished_run_needs_stays(runs: Path) -> None:
    path = runs / "bare" / "environment.json"
    text = path.read_text(encoding="utf-8")
    name = text.partition('"name": "')[2].partition('"')[0]
    path.write_text(text.replace(name, "runs/done-start"), encoding="utf-8")
    assert found() == ["runs/done/last"]


class TestOnTheCommandLine:
    def test_it_asks_first(self, command: Command, runs: Path) -> None:
        code, out, err = command("runs", "clean")
        assert (code, out) == (2, "")
        assert "runs/done/last" in err
        assert err.splitlines()[-1] == (
            "error: nothing was removed; say --yes where nobody can be asked"
        )
        assert (runs / "done" / "last").is_dir()

    def test_yes(self, command: Command, runs: Path) -> None:
        code, _, err = command("runs", "clean", "--evals", "--unfinished", "--yes")
        assert (code, err.splitlines()[-1]) == (0, "4 folders removed")
        assert sorted(path.name for path in runs.iterdir()) == ["done", "half"]
        assert (runs / "done" / "best" / "model.safetensors").is_file()
        assert command("runs", "show", "done")[0] == 0

    def test_nothing_to_do(self, command: Command, tmp_path: Path) -> None:
        assert command("runs", "clean") == (0, "", "nothing can go\n")
