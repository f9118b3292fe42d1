"""A run repeated from its record: the same again, or what was not as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from samples import write_csv

from bertft.commands.rerun import rerun
from bertft.errors import RunError


def edit(path: Path, **fields: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | fields), encoding="utf-8")


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    """A finished run of one's own, with its data beside it (its record names another place)."""
    shutil.copytree(trained.parent, tmp_path / "home")
    return tmp_path / "home"


def test_a_run_comes_to_the_same_again(command, trained, tmp_path):
    code, out, err = command("rerun", str(trained), "--out", "again")
    assert (code, out) == (0, "")
    assert "the same: accuracy " in err
    assert "changed:" not in err
    assert "versions, machine, device, precision and threads are as they were" in err
    assert f"saved   again (repeats {trained})" in err
    for name in ("best/model.safetensors", "predictions.jsonl", "recipe.toml"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / name).read_bytes()


def test_what_has_changed_is_told(trained, tmp_path, home):
    """A record of another version and other scores stands for a run of before."""
    run = home / "run"
    record = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    versions = record["versions"] | {"torch": "2.0.0"}
    edit(run / "environment.json", versions=versions)
    scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    scores["metrics"]["accuracy"]["value"] = 0.125
    edit(run / "scores.json", metrics=scores["metrics"])
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    other = {"good": "bad", "bad": "good"}[first["label"]]
    lines[0] = json.dumps(first | {"label": other})
    (run / "predictions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    repeat = rerun(str(run), out=str(tmp_path / "again"))
    assert not repeat.is_same
    assert (repeat.was["accuracy"], repeat.others, repeat.predictions) == (0.125, 1, len(lines))
    (changed,) = repeat.changed
    assert changed.startswith('versions.torch was "2.0.0", is ')


def test_other_data_are_refused_by_name(trained, tmp_path, home):
    run, file = home / "run", home / "train.csv"
    recipe = (run / "recipe.toml").read_text(encoding="utf-8")
    (run / "recipe.toml").write_text(recipe.replace(str(trained.parent), str(home)))
    write_csv(file, [("a good film", "good"), ("a bad film", "bad")] * 20)
    with pytest.raises(RunError) as caught:
        rerun(str(run), out=str(tmp_path / "again"))
    said = str(caught.value)
    assert said.startswith(f"{run} cannot be repeated: {file} was changed (SHA-256 ")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("environment.json", "cannot be repeated: it has no environment.json"),
        ("scores.json", "has no scores to compare with"),
    ],
)
def test_what_has_no_record_is_refused(command, run, gone, said):
    (run / gone).unlink()
    code, out, err = command("rerun", str(run))
    assert (code, out) == (2, "")
    assert said in err
    assert not Path("runs").exists()
