"""distil: a student learns a run's probabilities, and is a run like any other."""

from __future__ import annotations

import json

import pytest
from running import Ear
from samples import BAD, GOOD

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


def test_only_labels_are_taught(command, run, tiny, texts):
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("regression = false", ""), encoding="utf-8")
    changed = recipe.read_text().replace("[task]", "[task]\nregression = true")
    recipe.write_text(changed, encoding="utf-8")
    with pytest.raises(BertftError, match="distil teaches probabilities of labels"):
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
