"""distil: a student learns a run's probabilities, and is a run like any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bases import ROWS, write
from running import Ear
from samples import BAD, GOOD
from stopping import Stopper, crash, events, outcome, resume

import bertft
from bertft.commands.distil import DistilRequest, distil
from bertft.errors import BertftError


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.csv"
    rows = [f"{n},{text}" for n, text in enumerate((GOOD + BAD) * 4)]
    path.write_text("\n".join(["no,review", *rows, "99,"]) + "\n", encoding="utf-8")
    return path


def test_the_student_agrees_with_its_teacher(run, trained, tiny, texts, tmp_path, ear: Ear):
    out = tmp_path / "student"
    request = DistilRequest(
        run=str(run), files=(str(texts),), to=str(tiny), out=str(out), seed=3,
        overrides=("training.epochs=12",), device="cpu", precision="fp32",
    )  # fmt: skip
    result = distil(request, watch=ear)
    assert result is not None
    teacher, student = (bertft.load(one, device="cpu", precision="fp32") for one in (run, out))
    first = json.loads((tmp_path / "student.soft.jsonl").read_text().splitlines()[0])
    assert first["text"] == GOOD[0]
    assert first["soft_labels"] == pytest.approx(teacher.predict(GOOD[0])["scores"])
    new = ["a good food", "slow and bad", "i love fun", "dull and awful"]
    pairs = zip(teacher.predict(new), student.predict(new), strict=True)
    assert sum(a["label"] == b["label"] for a, b in pairs) >= 3
    assert result.split == "test"  # the teacher's
    assert any("1 row cannot be used: left out; the first is" in one for one in ear.notes)
    assert any("the teacher's" in one and "95 % CI" in one for one in ear.notes)


def test_soft_labels_are_in_the_encoding_of_the_recipe(run, tiny, texts, tmp_path):
    """Also where that is not one that holds ASCII as it is."""
    settings = ("data.encoding=utf-16", "data.dev=", "data.test=", "training.epochs=1")
    request = DistilRequest(
        run=str(run), files=(str(texts),), to=str(tiny), out=str(tmp_path / "student"),
        overrides=settings, device="cpu", precision="fp32",
    )  # fmt: skip
    result = distil(request, watch=Ear())
    assert result is not None
    rows = (tmp_path / "student.soft.jsonl").read_text(encoding="utf-16").splitlines()
    assert [json.loads(row)["text"] for row in rows] == (GOOD + BAD) * 4


UNLABELLED = {
    "ner": [{"text": " ".join(row["tokens"])} for row in ROWS["ner"]],
    "qa": [{name: row[name] for name in ("question", "context")} for row in ROWS["qa"]],
    "regression": [{"text": row["text"]} for row in ROWS["regression"]],
}


def said(kind: str, run: Path) -> list[Any]:
    """What a run answers, without how sure it is."""
    field = {"ner": "entities", "qa": "answer", "regression": "value"}[kind]
    answers = bertft.load(run, device="cpu", precision="fp32").predict(UNLABELLED[kind])
    if kind == "ner":
        return [[(one["start"], one["end"], one["label"]) for one in a[field]] for a in answers]
    return [round(a[field]) if kind == "regression" else a[field] for a in answers]


def asked(kind: str, teacher: Path, folder: Path, *settings: str, **fields: Any) -> DistilRequest:
    """A request that a tiny teacher answers in seconds."""
    files = (write(folder / "texts.jsonl", UNLABELLED[kind] * 3),)
    usual = {"out": str(folder / "student"), "device": "cpu", "precision": "fp32", "seed": 3}
    overrides = ("training.epochs=30", *settings)
    request = usual | {"run": str(teacher), "files": files, "overrides": overrides}
    return DistilRequest(**(request | fields))


@pytest.mark.parametrize("kind", ["ner", "qa", "regression"])
def test_every_answer_can_be_learned(kind, bases, tiny, tmp_path, ear: Ear):
    """By a student of another beginning, which is scored on the teacher's dev data."""
    result = distil(asked(kind, bases[kind], tmp_path, to=str(tiny)), watch=ear)
    assert result is not None
    learned = said(kind, tmp_path / "student")
    assert learned == said(kind, bases[kind])
    assert kind != "ner" or len({str(one) for one in learned}) > 2
    assert any("the teacher's" in one and "95 % CI" in one for one in ear.notes)


@pytest.mark.parametrize("kind", ["ner", "qa"])
def test_a_student_that_was_stopped_goes_on_exactly(kind, bases, tiny, tmp_path):
    settings = ("training.epochs=3", "training.batch_size=4", "training.evaluate_every=2")
    settings += ("training.keep_state=true", "training.dropout=0.1")
    found = []
    for name in ("whole", "stopped"):
        folder = tmp_path / name
        folder.mkdir()
        request = asked(kind, bases[kind], folder, *settings, to=str(tiny))
        if name == "whole":
            assert distil(request, watch=Ear()) is not None
        else:
            with pytest.raises(ZeroDivisionError):
                distil(request, watch=Stopper(3, crash))
            resume(folder / "student")
        found.append(outcome(folder / "student"))
    assert found[0] == found[1]


def test_the_teacher_itself_with_fewer_layers(bases, tmp_path, ear: Ear):
    """It begins with the teacher's head, and is read as a plain model of that depth."""
    request = asked("ner", bases["ner"], tmp_path, "training.epochs=1", layers="2")
    assert distil(request, watch=ear) is not None
    assert any("layers 1, 2 of 2 are kept" in one for one in ear.notes)
    assert any("its head is kept" in one for one in ear.notes)
    first = next(iter(events(tmp_path / "student", "step")))
    assert first["loss"] < 0.05  # with all layers it says what its teacher says, but for dropout
    (tmp_path / "one").mkdir()
    request = asked("ner", bases["ner"], tmp_path / "one", layers="1")
    result = distil(request, watch=ear)
    assert result is not None
    config = json.loads((result.run / "best" / "config.json").read_text())
    assert config["num_hidden_layers"] == 1
    assert any("layer 1 of 2 is kept" in one for one in ear.notes)
    recipe = (result.run / "recipe.toml").read_text()
    assert "layers = 1" in recipe
    again = asked("ner", result.run, tmp_path, "training.epochs=1", layers="", to=str(bases["ner"]))
    again = replace(again, out=str(tmp_path / "grandchild"))
    assert distil(again, watch=ear) is not None  # its teacher's layers are not its own
    config = json.loads((tmp_path / "grandchild" / "best" / "config.json").read_text())
    assert config["num_hidden_layers"] == 2


def test_several_teach(command, bases, run, tiny, texts, tmp_path):
    second = Path(shutil.copytree(run, tmp_path / "second"))
    code, _, err = command(
        "distil", str(run), str(texts), "--teacher", str(second), "--to", str(tiny), "--out",
        str(tmp_path / "both"), "--set", "training.epochs=1", "--device", "cpu",
    )  # fmt: skip
    assert code == 0, err
    assert "with the mean of 2 teachers' probabilities" in err
    assert f"{second}: test accuracy" in err
    assert (tmp_path / "both" / "scores.json").exists()
    code, _, err = command(
        "distil", str(run), str(texts), "--teacher", str(bases["ner"]), "--to", str(tiny)
    )
    assert (code, "has not the task of" in err) == (2, True)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "nothing says what the student is to be"),
        (("--layers", "x"), "--layers x: no number"),
        (("--layers", "1,,2"), "--layers 1,,2: no number"),
        (("--layers", "3"), "has 2 layers; a number up to 2"),
        (("--layers", "2,1"), "has 2 layers"),
        (("--layers", "2", "--set", "model.max_length=99"), "the encoder has 64"),
        (("--to", "static", "--layers", "2"), "a static model has no layers"),
        (("--layers", "2", "--set", "model.layers=1"), "--layers say that to distil"),
        (("--layers", "2", "--teacher", "nowhere"), "no run directory nowhere"),
    ],
)
def test_slips_about_the_student(command, run, texts, tmp_path, flags, told):
    out = tmp_path / "student"
    code, _, err = command("distil", str(run), str(texts), "--out", str(out), *flags)
    assert (code, told in err) == (2, True), err
    assert not list(tmp_path.glob("student*"))


def test_what_gives_no_answers_cannot_teach(command, run, tiny, texts):
    recipe = run / "recipe.toml"
    name = 'name = "classification"'
    assert name in recipe.read_text()
    recipe.write_text('[task]\nname = "pretraining"\n', encoding="utf-8")
    with pytest.raises(BertftError, match="the task pretraining gives none"):
        distil(DistilRequest(run=str(run), files=(str(texts),), to=str(tiny)), watch=Ear())
    recipe.unlink()
    code, _, err = command("distil", "run", str(texts), "--to", str(tiny))
    assert code == 2
    assert "run has no recipe.toml" in err
    code, _, err = command("distil", "nowhere", str(texts), "--to", str(tiny))
    assert (code, "no run directory nowhere" in err) == (2, True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("training.epochs=0", "training.epochs: input should be greater"),
        ("data.dev=nowhere.csv", "nowhere.csv: no such file"),
        ("data.train=x.csv", "--set data.train: the files named say that to distil"),
        ("model.name=x", "--set model.name: --to say that to distil"),
    ],
)
def test_a_slip_is_told_before_the_teacher_works(run, tiny, texts, tmp_path, changed, told):
    request = DistilRequest(
        run=str(run), files=(str(texts),), to=str(tiny), out=str(tmp_path / "student"),
        overrides=(changed,),
    )  # fmt: skip
    with pytest.raises(BertftError, match=told):
        distil(request, watch=Ear())
    assert not list(tmp_path.glob("student*"))


def test_nothing_is_left_of_texts_that_are_none(run, tiny, tmp_path):
    (tmp_path / "empty.txt").touch()
    request = DistilRequest(
        run=str(run), files=(str(tmp_path / "empty.txt"),), to=str(tiny),
        out=str(tmp_path / "student"), device="cpu", precision="fp32",
    )  # fmt: skip
    with pytest.raises(BertftError, match="no text to learn from"):
        distil(request, watch=Ear())
    assert not list(tmp_path.glob("student*"))
