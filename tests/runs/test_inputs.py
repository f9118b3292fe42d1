"""Runs and their inputs when folders change: from elsewhere, moved, renamed."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import FAST, set_flags, write_reviews
from stopping import SETTINGS, Stopper, sending

from bertft.commands.pretrain import pretrain
from bertft.commands.train import train
from bertft.errors import Interrupted
from bertft.jobs.pretraining import PretrainRequest
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe
from bertft.runs.inputs import found_file, recorded_recipe

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder with data, an encoder and runs/run, all given by relative paths."""

    def make(*, stopped: bool) -> Path:
        home = tmp_path / "home"
        (home / "data").mkdir(parents=True)
        write_reviews(home / "data")
        shutil.copytree(tiny, home / "encoder")
        monkeypatch.chdir(home)
        files = {name: f"data/{name}.csv" for name in ("train", "dev", "test")}
        request = TrainRequest(
            recipe="sentiment",
            overrides=(*FAST, *(SETTINGS if stopped else ())),
            model="encoder",
            out="runs/run",
            **files,
        )
        if stopped:
            with pytest.raises(Interrupted):
                train(request, watch=Stopper(2, sending(signal.SIGTERM)))
        else:
            train(request)
        monkeypatch.chdir(tmp_path)
        return home

    return make


@pytest.fixture
def at(command, monkeypatch):
    """The command line in a folder: its exit code and what it says."""

    def call(folder: Path, *arguments: str) -> tuple[int, str]:
        monkeypatch.chdir(folder)
        code, _, err = command(*arguments)
        return code, err

    return call


def forget(run: Path) -> None:
    """Make a run one of before: its paths are relative."""
    home = f"{run.parents[1]}/"
    for name in ("recipe.toml", "environment.json"):
        path = run / name
        text = path.read_text(encoding="utf-8")
        assert home in text
        path.write_text(text.replace(home, ""), encoding="utf-8")


@pytest.mark.parametrize("old", [False, True])
def test_a_run_is_scored_from_anywhere(project, at, tmp_path, old):
    home = project(stopped=False)
    if old:
        forget(home / "runs" / "run")
    code, err = at(tmp_path, "eval", "home/runs/run", "--device", "cpu")
    assert code == 0, err
    moved = home.rename(tmp_path / "moved")
    code, err = at(Path("/"), "eval", str(moved / "runs" / "run"), "--device", "cpu")
    assert code == 0, err
    assert f"found as {moved}/data/test.csv, with the same SHA-256" in err
    (moved / "data" / "test.csv").write_text("text,label\na,good\n", encoding="utf-8")
    code, err = at(tmp_path, "eval", "moved/runs/run", "--device", "cpu")
    assert (code, "say where they are now with --data FILE" in err) == (2, True)


def test_another_file_of_the_same_name_is_not_taken(project, at, tmp_path):
    home = project(stopped=False)
    forget(home / "runs" / "run")
    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    (other / "data" / "test.csv").write_text("text,label\na,good\n", encoding="utf-8")
    code, err = at(other, "eval", "../home/runs/run", "--device", "cpu")
    assert (code, f"found as {home}/data/test.csv" in err) == (0, True)


@pytest.mark.parametrize("old", [False, True])
def test_a_stopped_run_goes_on_from_anywhere(project, at, tmp_path, old):
    home = project(stopped=True)
    moved = home.rename(tmp_path / "moved") if old else home
    run = moved / "runs" / "run"
    code, err = at(tmp_path, "train", "--resume", str(run.relative_to(tmp_path)))
    assert code == 0, err
    recipe = load_recipe(str(run / "recipe.toml"))
    assert recipe.data.train == str(moved / "data" / "train.csv")
    assert recipe.model.name == str(moved / "encoder")
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    assert environment["data"]["test"]["path"] == str(moved / "data" / "test.csv")
    assert environment["model"]["name"] == str(moved / "encoder")


def test_inputs_can_be_named_anew(project, at, tmp_path):
    home = project(stopped=True)
    away = tmp_path / "away"
    away.mkdir()
    names = {}
    for number, split in enumerate(("train", "dev", "test")):
        names[split] = (home / "data" / f"{split}.csv").rename(away / f"{number}.csv").name
    (home / "encoder").rename(away / "bert")
    run = str(home / "runs" / "run")
    code, err = at(away, "train", "--resume", run)
    assert (code, "no such file" in err) == (2, True)
    flags = [word for split, name in names.items() for word in (f"--{split}", name)]
    code, err = at(away, "train", "--resume", run, *flags, "--model", "bert")
    assert code == 0, err
    recipe = load_recipe(f"{run}/recipe.toml")
    assert (recipe.data.dev, recipe.model.name) == (str(away / "1.csv"), str(away / "bert"))
    code, err = at(tmp_path, "eval", run, "--device", "cpu")
    assert code == 0, err


@pytest.mark.parametrize("flag", ["--train", "--dev", "--test"])
def test_other_data_are_refused(project, at, tmp_path, flag):
    home = project(stopped=True)
    other = tmp_path / "other.csv"
    other.write_text("text,label\na,good\nb,bad\n", encoding="utf-8")
    code, err = at(tmp_path, "train", "--resume", str(home / "runs" / "run"), flag, str(other))
    assert code == 2
    split = flag.removeprefix("--")
    assert f"{other} is another file than {home}/data/{split}.csv (SHA-256 " in err


def test_settings_stay_those_of_the_run(project, at, tmp_path):
    run = str(project(stopped=True) / "runs" / "run")
    code, err = at(tmp_path, "train", "--resume", run, *set_flags("training.epochs=9"))
    assert (code, "--resume goes on with the run's own recipe" in err) == (2, True)


def test_what_is_no_path_stays_as_it_is():
    recipe = recorded_recipe(load_recipe("sentiment"))
    assert recipe == load_recipe("sentiment")
    assert found_file("hub:a/b", "0", Path("run"), tell=print) == "hub:a/b"
    assert found_file("", "0", Path("run"), tell=print) == ""


def test_links_keep_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blob").write_text("text,label\n", encoding="utf-8")
    Path("train.csv").symlink_to("blob")
    recipe = load_recipe("sentiment", overrides=["data.train=train.csv"])
    assert recorded_recipe(recipe).data.train == str(tmp_path / "train.csv")


def test_a_pretraining_that_moved(at, tmp_path, monkeypatch):
    """Two files of text, and the untrained encoder that lies beside the run."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    for name in ("one.txt", "two.txt"):
        text = "\n\n".join(f"the film is good {name[:3]}\ni love it" for _ in range(12))
        Path(name).write_text(text, encoding="utf-8")
    settings = ("training.device=cpu", "training.batch_size=4", "model.max_length=32")
    request = PretrainRequest(
        corpus=("one.txt", "two.txt"), vocabulary=100, out="runs/p", overrides=settings
    )
    with pytest.raises(Interrupted):
        pretrain(request, watch=Stopper(2, sending(signal.SIGTERM)))
    moved = home.rename(tmp_path / "moved")
    code, err = at(tmp_path, "train", "--resume", str(moved / "runs" / "p"))
    assert code == 0, err
    assert f"found as {moved}/two.txt, with the same SHA-256" in err
    recipe = load_recipe(str(moved / "runs" / "p" / "recipe.toml"))
    assert recipe.data.further == [str(moved / "two.txt")]
    assert recipe.model.name == str(moved / "runs" / "p-start")
