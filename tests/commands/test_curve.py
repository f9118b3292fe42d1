"""curve: runs of ever more data, what they foretell, and the way back after an interruption."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from pages import checked
from samples import FAST, set_flags, write_csv
from stopping import Stopper, sending

from bertft.commands.curve import curve
from bertft.errors import Interrupted, RunError
from bertft.jobs.prepare import share_of
from bertft.jobs.request import TrainRequest
from bertft.recipe import load_recipe
from bertft.runs.curve import open_curve
from bertft.runs.folder import finished_runs
from bertft.tasks import make_task
from bertft.watch import Silent

NAMES = ("film", "movie", "food", "plot", "love", "fun", "day", "story")
MODE = ("training.mode=features", "training.epochs=4", "training.batch_size=8")


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    rows = [(f"{kind} {who} {name} {end}", kind) for name in NAMES for who in ("we", "they")
            for end in ("yes", "no") for kind in ("good", "bad")]  # fmt: skip
    files = {"train": rows, "dev": rows[:12], "test": rows[8:40]}
    return {name: str(write_csv(tmp_path / f"{name}.csv", some)) for name, some in files.items()}


@pytest.fixture
def asked(tiny: Path, data: dict[str, str], tmp_path: Path) -> TrainRequest:
    settings = (*FAST, *MODE, "training.learning_rate=0.01")
    out = str(tmp_path / "drawn")
    return TrainRequest(recipe="sentiment", overrides=settings, model=str(tiny), out=out, **data)


@pytest.fixture
def flags(tiny: Path, data: dict[str, str]) -> list[str]:
    files = [word for name, path in data.items() for word in (f"--{name}", path)]
    settings = set_flags(*FAST, *MODE[1:])
    return ["sentiment", *files, "--model", str(tiny), "--features", *settings]


class TestCurve:
    def test_what_it_writes(self, command, flags):
        code, out, err = command("curve", *flags, "--seeds", "2", "--out", "runs/drawn", "--json")
        assert code == 0, err
        content = json.loads(out)
        folder = Path("runs/drawn")
        assert json.loads((folder / "curve.json").read_text("utf-8")) == content
        assert [one["examples"] for one in content["points"]] == [8, 16, 32, 64]
        assert [one["examples"] for one in content["predicted"]] == [128, 256]
        assert (content["split"], content["n"], content["seeds"]) == ("test", 32, 2)
        for one in content["predicted"]:
            assert 0 <= one["low"] <= one["value"] <= one["high"] <= 1
        assert content["verdict"] in ("pays", "little", "unclear")
        assert {one["class"] for one in content["classes"]} == {"good", "bad"}
        page = checked((folder / "curve.html").read_text("utf-8"))
        assert "Would more data help?" in page.words
        assert not list(folder.rglob("*.safetensors"))
        assert finished_runs() == []  # no point passes for a model

    def test_the_table(self, command, flags):
        code, out, err = command("curve", *flags, "--seeds", "1", "--out", "drawn")
        assert (code, out) == (0, ""), err
        assert "training rows  test accuracy" in err
        assert "predicted, 4 x" in err
        assert "written: drawn/curve.json, drawn/curve.html" in err

    def test_the_encoder_reads_each_text_once(self, asked, ear):
        curve(asked, seeds=2, watch=ear)
        told = [note for note in ear.notes if "encoded in" in note]
        assert len(told) == 1  # also for the points that say nothing else

    def test_each_seed_has_subsets_of_its_own(self, asked):
        recipe = load_recipe("sentiment", overrides=("data.train_share=0.25",))
        examples = list(make_task(recipe.task).read(_source(asked.train)))
        task = make_task(recipe.task).learn_labels(examples, path="")
        chosen = []
        for seed in (1, 2):
            own = recipe.model_copy(
                update={"training": recipe.training.model_copy(update={"seed": seed})}
            )
            some, spare = share_of(task, examples, own, watch=Silent())
            assert len(some) == 16
            assert {one.id for one in some}.isdisjoint(one.id for one in spare)
            assert sum(one.gold == ("good",) for one in some) == 8
            chosen.append([one.id for one in some])
        assert chosen[0] != chosen[1]


class TestResume:
    def test_what_is_done_is_kept(self, asked, ear):
        _, whole = curve(asked, seeds=1)
        other = TrainRequest(
            recipe=asked.recipe, overrides=asked.overrides, model=asked.model,
            train=asked.train, dev=asked.dev, test=asked.test, out=asked.out + "-2",
        )  # fmt: skip
        with pytest.raises(Interrupted, match=r"go on with: bertft curve --resume .*drawn-2"):
            curve(other, seeds=1, watch=Stopper(3, sending(2)))
        folder = Path(other.out)
        assert not (folder / "curve.json").exists()
        (begun,) = folder.glob("*/seed-*")
        assert not (begun / "scores.json").exists()
        _, content = curve(TrainRequest(recipe="", resume=str(folder)), watch=ear)
        assert content == whole
        times = {path: path.stat().st_mtime_ns for path in folder.glob("*/seed-*/scores.json")}
        _, again = curve(TrainRequest(recipe="", resume=str(folder)))
        assert again == whole
        assert times == {path: path.stat().st_mtime_ns for path in times}

    def test_other_data_are_not_mixed_in(self, asked):
        curve(asked, seeds=1)
        folder = Path(asked.out)
        point = open_curve(folder).point(Fraction(1, 8), open_curve(folder).seeds[0])
        for path in sorted(point.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        point.rmdir()
        with Path(asked.train).open("a") as file:
            file.write("a new film,good\n")
        with pytest.raises(RunError, match=r"train\.csv was changed while the curve was drawn"):
            curve(TrainRequest(recipe="", resume=str(folder)))

    def test_a_folder_that_is_none(self, command, tmp_path):
        code, _, err = command("curve", "--resume", str(tmp_path))
        assert code == 2
        assert "is no learning curve (no plan.json)" in err

    @pytest.mark.parametrize("more", [["--seed", "3"], ["--features"], ["--train", "x.csv"]])
    def test_resume_takes_nothing_else(self, command, tmp_path, more):
        code, _, err = command("curve", "--resume", str(tmp_path), *more)
        assert code == 2
        assert "--resume goes on with what it was begun with" in err


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            ([], "curve needs a recipe, or --resume"),
            (["pretrain", "--train", "x.txt"], "x.txt"),
            (["sentiment", "--train", "none.csv"], "none.csv"),
            (["sentiment", "--set", "data.train_share=0"], "data.train_share"),
        ],
    )
    def test_in_a_line(self, command, arguments, what):
        code, _, err = command("curve", *arguments)
        assert code == 2
        assert what in err
        assert len(err.splitlines()) == 1

    def test_without_scores(self, command, data):
        settings = set_flags("data.dev_share=0")
        code, _, err = command("curve", "sentiment", "--train", data["train"], *settings)
        assert code == 2
        assert "a learning curve needs scores; give --test or --dev" in err


def _source(path: str):
    from bertft.loaders.source import Source
    from bertft.settings import DataSettings

    return Source(path, data=DataSettings())
