"""runs: the list of finished runs, one in full, and the paired comparison of two."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from bertft.commands.evaluate import evaluate
from bertft.commands.train import train
from bertft.errors import RunError
from bertft.runs.compare import compare_runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The folder runs/ with two finished runs, the older last by name, and an unfinished one."""
    for number, name in enumerate(("b-first", "a-second", "half")):
        copy = Path(shutil.copytree(trained, tmp_path / "runs" / name))
        os.utime(copy / "scores.json", (10**9 + number, 10**9 + number))
    (tmp_path / "runs" / "half" / "scores.json").unlink()
    return tmp_path / "runs"


class TestList:
    def test_finished_runs_oldest_first(self, command, runs, trained):
        code, out, err = command("runs", "list")
        accuracy = json.loads((trained / "scores.json").read_text("utf-8"))["metrics"]["accuracy"]
        value = str(accuracy["value"])
        assert (code, err) == (0, "")
        assert [line.split("\t") for line in out.splitlines()] == [
            ["run", "recipe", "mode", "split", "n", "metric", "value"],
            ["runs/b-first", "sentiment", "fine-tune", "test", "24", "accuracy", value],
            ["runs/a-second", "sentiment", "fine-tune", "test", "24", "accuracy", value],
        ]

    def test_json(self, command, runs):
        rows = json.loads(command("runs", "list", "--json")[1])
        assert [row["run"] for row in rows] == ["runs/b-first", "runs/a-second"]

    def test_evaluations_of_a_run_are_no_runs(self, command, runs):
        evaluate(str(runs / "b-first"), device="cpu", precision="fp32")
        assert len(json.loads(command("runs", "list", "--json")[1])) == 2

    def test_runs_of_several_seeds(self, command, runs):
        (runs / "many").mkdir()
        shutil.move(runs / "b-first", runs / "many" / "seed-1")
        rows = json.loads(command("runs", "list", "--json")[1])
        assert rows[0]["run"] == "runs/many/seed-1"

    @pytest.mark.parametrize(
        "content", ["{", "[]", "{}", '{"n": 1}', '{"metric": "x", "metric": "y"}']
    )
    def test_a_run_whose_scores_are_damaged_is_named_and_left_out(self, command, runs, content):
        (runs / "b-first" / "scores.json").write_text(content, encoding="utf-8")
        code, out, err = command("runs", "list", "--json")
        assert code == 0
        assert [row["run"] for row in json.loads(out)] == ["runs/a-second"]
        assert err.startswith("· left out: runs/b-first/scores.json: not readable (")
        assert err.endswith("; mend it, or take the run out of runs/\n")

    def test_none(self, command):
        assert command("runs", "list") == (0, "", "none\n")
        assert json.loads(command("runs", "list", "--json")[1]) == []


class TestShow:
    def test_environment_and_scores(self, command, run):
        code, out, err = command("runs", "show", "run")
        assert code == 0
        facts = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert facts["run"] == "run"
        assert facts["labels"] == "bad, good"
        assert "torch" in facts["versions"]
        assert "test: 24 examples" in err

    def test_json(self, command, run):
        facts = json.loads(command("runs", "show", "run", "--json")[1])
        assert facts["scores"] == json.loads((run / "scores.json").read_text("utf-8"))
        assert facts["recipe_hash"]

    def test_no_run(self, command):
        code, out, err = command("runs", "show", "none")
        assert (code, out) == (2, "")
        assert err == "error: no run directory none; 'bertft runs list' shows the runs here\n"


class TestCompare:
    def test_a_run_with_itself(self, run):
        found = compare_runs(str(run), str(run))
        assert (found["a"], found["b"], found["n"]) == (str(run), str(run), 24)
        assert {"accuracy", "macro_f1", "mcc"} <= set(found["metrics"])
        for one in found["metrics"].values():
            assert (one["b - a"], one["low"], one["high"]) == (0, 0, 0)
            assert one["p"] == 1

    def test_a_trained_run_with_one_that_is_not(self, run, ask):
        poor = train(ask("poor", "training.learning_rate=1e-9", "training.epochs=1")).run
        accuracy = [
            json.loads((one / "scores.json").read_text("utf-8"))["metrics"]["accuracy"]["value"]
            for one in (poor, run)
        ]
        assert accuracy[1] > accuracy[0]
        found = compare_runs(str(poor), str(run))["metrics"]["accuracy"]
        assert found["b - a"] == pytest.approx(accuracy[1] - accuracy[0])
        assert found["low"] <= found["b - a"] <= found["high"]
        back = compare_runs(str(run), str(poor))["metrics"]["accuracy"]
        assert back["b - a"] == -found["b - a"]
        assert back["p"] == found["p"] < 0.05

    def test_different_examples_are_refused_and_the_way_out_works(self, run, reviews):
        folder, _ = evaluate(str(run), data=str(reviews["dev"]), device="cpu", precision="fp32")
        with pytest.raises(RunError, match="were scored on different examples; score both on one"):
            compare_runs(str(run), str(folder))
        again, _ = evaluate(str(run), data=str(reviews["dev"]), device="cpu", precision="fp32")
        assert compare_runs(str(folder), str(again))["n"] == 12

    def test_the_same_texts_with_other_gold_are_refused(self, run, tmp_path):
        other = Path(shutil.copytree(run, tmp_path / "other"))
        path = other / "predictions.jsonl"
        rows = path.read_text(encoding="utf-8").replace('"gold": "good"', '"gold": "bad"', 1)
        path.write_text(rows, encoding="utf-8")
        with pytest.raises(RunError, match="different examples"):
            compare_runs(str(run), str(other))

    def test_an_evaluation_outside_its_run_says_what_to_give(self, run, reviews, tmp_path):
        out = str(tmp_path / "out")
        evaluate(str(run), data=str(reviews["test"]), out=out, device="cpu", precision="fp32")
        with pytest.raises(RunError, match="does not belong to a run; give a run, or a folder in"):
            compare_runs(out, out)

    def test_on_the_command_line(self, command, run):
        code, out, err = command("runs", "compare", "run", "run")
        assert (code, err) == (0, "")
        rows = [line.split("\t") for line in out.splitlines()]
        assert rows[0] == ["score", "b - a", "low", "high", "p"]
        assert ["accuracy", "+0.0000", "+0.0000", "+0.0000", "1.000"] in rows
        assert json.loads(command("runs", "compare", "run", "run", "--json")[1])["n"] == 24
