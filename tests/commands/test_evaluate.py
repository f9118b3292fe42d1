"""eval: a run and a data file in, scores and predictions out; nothing of the run is overwritten."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from samples import write_csv

import bertft
from bertft.commands.evaluate import evaluate
from bertft.errors import DataError, RunError

PLAIN = {"device": "cpu", "precision": "fp32"}
FLAGS = ["--device", "cpu", "--precision", "fp32"]


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "scores.json").read_text(encoding="utf-8"))


def predictions(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "predictions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestScores:
    def test_the_test_data_give_the_scores_of_training(self, run):
        before = contents(run)
        folder, scores = evaluate(str(run), **PLAIN)
        assert scores == read(folder) == read(run)
        assert predictions(folder) == predictions(run)
        assert folder.parent == run / "eval"
        assert folder.name.startswith("test-20")
        after = contents(run)
        assert {path: after[path] for path in before} == before

    def test_a_source_column_and_unknown_tokens_are_kept_for_slices(self, run, tmp_path):
        lines = ["text,label,Domain"]
        lines += [f"a good film,good,{'web' if i % 2 else 'mail'}" for i in range(80)]
        lines += ["☃ ☃ ☃,bad,"]
        (tmp_path / "own.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        folder, _ = evaluate(str(run), data=str(tmp_path / "own.csv"), **PLAIN)
        found = predictions(folder)
        assert [one.get("source") for one in found] == ["mail", "web"] * 40 + [None]
        assert [one.get("unknown") for one in found[:80]] == [None] * 80
        assert found[80]["unknown"] == 3 / 5
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        sources = [one for one in report["slices"]["found"] if one["kind"] == "source"]
        assert [(one["name"], one["n"]) for one in sources] == [("mail", 40), ("web", 40)]
        assert report["scores"] == read(folder)

    def test_another_file(self, run, tmp_path):
        rows = [("a good film", "good"), ("i hate it", "bad"), ("great fun", "bad")]
        own = str(write_csv(tmp_path / "own.csv", rows))
        folder, scores = evaluate(str(run), data=own, **PLAIN)
        assert folder.name.startswith("own-20")
        assert (scores["split"], scores["data"], scores["n"]) == ("data", own, 3)
        found = predictions(folder)
        right = sum(one["label"] == one["gold"] for one in found)
        assert scores["metrics"]["accuracy"]["value"] == right / 3
        assert [(one["id"], one["gold"]) for one in found] == [
            ("2", "good"),
            ("3", "bad"),
            ("4", "bad"),
        ]
        assert scores["baseline"]["accuracy"] == pytest.approx(2 / 3)

    def test_two_evaluations_have_a_folder_each(self, run):
        first, _ = evaluate(str(run), **PLAIN)
        second, _ = evaluate(str(run), **PLAIN)
        assert first != second
        assert read(first) == read(second)

    def test_every_example_once_in_any_order_of_lengths(self, run, tmp_path):
        texts = ["good " * (1 + number * 7 % 25) for number in range(80)]
        own = write_csv(tmp_path / "own.csv", [(text, "good") for text in texts])
        folder, scores = evaluate(str(run), data=str(own), **PLAIN)
        assert [one["text"] for one in predictions(folder)] == texts
        assert scores["n"] == 80

    def test_the_python_api(self, run):
        folder, scores = bertft.evaluate(run, out=str(run.parent / "scored"), **PLAIN)
        assert folder == run.parent / "scored"
        assert scores["metrics"] == read(run)["metrics"]


class TestReading:
    def test_columns_of_this_file_can_be_named(self, run, tmp_path):
        rows = [("a good film", "good"), ("i hate it", "bad")]
        own = str(write_csv(tmp_path / "own.csv", rows, header="words,sign"))
        with pytest.raises(DataError, match=r"own\.csv:1: no column for the text"):
            evaluate(str(run), data=own, **PLAIN)
        named = ["task.text_column=words", "task.label_column=sign"]
        assert evaluate(str(run), data=own, overrides=named, **PLAIN)[1]["n"] == 2

    def test_the_file_s_format_can_be_told(self, run, tmp_path):
        (tmp_path / "own.csv").write_text("a good film;good\n", encoding="utf-8")
        told = ["data.header=false", 'data.columns=["text", "label"]', "data.delimiter=;"]
        own = str(tmp_path / "own.csv")
        assert evaluate(str(run), data=own, overrides=told, **PLAIN)[1]["n"] == 1

    def test_rows_that_are_left_out_are_counted(self, run, tmp_path, ear):
        rows = [("a good film", "good"), ("", "bad"), ("i hate it", ""), ("sad", "bad")]
        own = str(write_csv(tmp_path / "own.csv", rows))
        _, scores = evaluate(str(run), data=own, on_bad_row="skip", watch=ear, **PLAIN)
        assert scores["n"] == 2
        assert any(note.startswith("2 unusable rows left out; the first: ") for note in ear.notes)

    def test_texts_that_were_cut_are_counted(self, run, tmp_path, ear):
        own = str(write_csv(tmp_path / "own.csv", [("good " * 31, "good"), ("sad", "bad")]))
        folder, _ = evaluate(str(run), data=own, watch=ear, **PLAIN)
        note = f"1 of 2 texts of {own} is longer than 32 tokens and was cut"
        assert note in ear.notes
        assert [one["truncated"] for one in predictions(folder)] == [True, False]

    @pytest.mark.parametrize("label", ["goood", "1", "Good"])
    def test_other_labels_are_refused_before_anything_is_written(self, run, tmp_path, label):
        own = str(write_csv(tmp_path / "own.csv", [("sad", "bad"), ("sad", label)]))
        before = contents(run)
        with pytest.raises(DataError, match=rf"own\.csv:3: label '{label}' is none of .*\bgood\b"):
            evaluate(str(run), data=own, **PLAIN)
        assert contents(run) == before


class TestWhichRun:
    def test_a_recipe_stands_for_its_newest_finished_run(self, command, trained, tmp_path):
        for number, name in enumerate(("b-new", "a-old", "c-other", "d-unfinished")):
            copy = Path(shutil.copytree(trained, tmp_path / "runs" / name))
            time = 2_000_000_000 - number * 1000
            os.utime(copy / "scores.json", (time, time))
            if name == "c-other":
                environment = json.loads((copy / "environment.json").read_text(encoding="utf-8"))
                environment["recipe"] = "sst2"
                text = json.dumps(environment)
                (copy / "environment.json").write_text(text, encoding="utf-8")
        (tmp_path / "runs" / "d-unfinished" / "scores.json").unlink()
        for target, expected in (("sentiment", "b-new"), ("sst2", "c-other")):
            code, _, err = command("eval", target, *FLAGS)
            assert code == 0
            assert f"· run: runs/{expected}" in err.splitlines()

    def test_a_model_folder_that_was_copied_elsewhere(self, run, tmp_path, reviews):
        model = Path(shutil.copytree(run / "best", tmp_path / "model"))
        folder, scores = evaluate(str(model), data=str(reviews["test"]), **PLAIN)
        assert folder.parent == model / "eval"
        assert scores["metrics"] == read(run)["metrics"]

    def test_the_best_folder_stands_for_its_run(self, run, reviews):
        folder, _ = evaluate(str(run / "best"), data=str(reviews["test"]), **PLAIN)
        assert folder.parent == run / "eval"

    def test_without_test_or_dev_file_the_error_says_so(self, run):
        path = run / "recipe.toml"
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = ['test = ""' if line.startswith("test =") else line for line in lines]
        kept = ['dev = ""' if line.startswith("dev =") else line for line in kept]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
        with pytest.raises(RunError, match="no test or dev file of its own; give one with --data"):
            evaluate(str(run), **PLAIN)


class TestCommandLine:
    def test_tables_for_people(self, command, run):
        code, out, err = command("eval", "run", *FLAGS)
        assert (code, out) == (0, "")
        assert "test: 24 examples" in err
        (folder,) = (run / "eval").iterdir()
        assert f"· written: run/eval/{folder.name}/scores.json" in err

    def test_json_for_programs(self, command, run):
        code, out, _ = command("eval", "--run", "run", "--json", "--out", "scored", *FLAGS)
        assert code == 0
        assert json.loads(out) == read(run.parent / "scored") == read(run)
