"""Texts out of scope from training to predictions, tables, scores and reports."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from samples import BAD, FAST, GOOD, set_flags, write_csv

OTHER = ["the plot", "on yes", "it was in", "you he she"]


@pytest.fixture(scope="module")
def trained_with_scope(tiny, tmp_path_factory) -> Path:
    """A run whose data have texts labelled oos in train and dev; what was said is beside it."""
    from running import Ear

    from bertft.commands.train import train
    from bertft.jobs.request import TrainRequest

    folder, ear = tmp_path_factory.mktemp("scope"), Ear()
    rows = [(one, "good") for one in GOOD] + [(one, "bad") for one in BAD]
    rows += [(one, "oos") for one in OTHER]
    data = str(write_csv(folder / "data.csv", rows * 3))
    request = TrainRequest(
        recipe="sentiment", overrides=(*FAST, "training.epochs=12"), train=data, dev=data,
        test=data, model=str(tiny), out=str(folder / "run"), seed=16,
    )  # fmt: skip
    assert train(request, watch=ear) is not None
    (folder / "said.txt").write_text("\n".join(ear.notes), encoding="utf-8")
    return folder / "run"


def test_training_says_what_it_makes_of_them(trained_with_scope):
    card = json.loads((trained_with_scope / "best" / "bertft.json").read_text())
    assert card["labels"] == ["bad", "good"]
    assert card["learned"]["out_of_scope"]["seen"] == 12
    said = (trained_with_scope.parent / "said.txt").read_text()
    assert "train: 12 texts labelled 'oos': out of scope, which is no label" in said
    assert "told by a threshold chosen on dev, with its 12 texts out of scope: 0" in said


def test_the_run_is_scored_on_both(trained_with_scope):
    scores = json.loads((trained_with_scope / "scores.json").read_text())
    found = scores["out_of_scope"]
    assert found["texts"] == {"in_scope": 36, "out_of_scope": 12}
    assert found["auroc"]["value"] > 0.9
    assert found["accuracy"]["value"] > 0.8
    assert sum(one["support"] for one in scores["per_class"].values()) == 36
    assert "<h2>Out of scope</h2>" in (trained_with_scope / "report.html").read_text()
    lines = (trained_with_scope / "predictions.jsonl").read_text().splitlines()
    assert sum(json.loads(one)["gold"] == "oos" for one in lines) == 48 / 4


def test_predictions_say_it_beside_the_label(command, trained_with_scope, tmp_path):
    run = ["--run", str(trained_with_scope)]
    code, out, _ = command("predict", "i love it", "you he she", *run)
    assert code == 0
    inside, outside = map(json.loads, out.splitlines())
    assert (inside["label"], inside["out_of_scope"]) == ("good", False)
    assert outside["out_of_scope"] is True
    assert outside["label"] in ("good", "bad")
    assert outside["out_of_scope_score"] > inside["out_of_scope_score"]
    code, out, _ = command("predict", "you he she", *run, "--format", "txt")
    assert out.split("\t")[0].endswith(" (out of scope)")
    command("predict", "you he she", *run, "--out", "out.csv")
    (row,) = csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines())
    assert row["out_of_scope"] == "true"
    assert 0 < float(row["out_of_scope_score"]) <= 1


def test_eval_reads_such_rows_and_says_how_well_they_are_told(
    command, trained_with_scope, tmp_path
):
    data = str(write_csv(tmp_path / "new.csv", [("a good film", "good"), ("on yes", "oos")]))
    code, out, err = command("eval", str(trained_with_scope), "--data", data)
    assert code == 0
    assert "out of scope: AUROC" in out + err
    assert "% of 1 texts in scope are refused" in out + err
    code, out, _ = command("eval", str(trained_with_scope), "--data", data, "--coverage", "0.9",
                           "--json")  # fmt: skip
    assert json.loads(out)["coverage"]["measured"]["value"] in (0.0, 1.0)  # of the one in scope


def test_without_a_dev_set_nothing_can_be_told(command, tiny, tmp_path):
    rows = [(one, "good") for one in GOOD] + [(one, "bad") for one in BAD]
    data = str(write_csv(tmp_path / "data.csv", rows))
    settings = (*FAST, "data.dev_share=0", "training.epochs=1", "task.out_of_scope=true")
    code, _, err = command(
        "train", "sentiment", "--train", data, "--model", str(tiny), "--out", "run",
        *set_flags(*settings),
    )  # fmt: skip
    assert code == 0
    assert "texts out of scope are not told: there was no dev set to choose a threshold on" in err
    code, out, _ = command("predict", "a film", "--run", "run")
    assert "out_of_scope" not in json.loads(out)
