"""train: what a run directory holds, where the data come from, and that runs repeat."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import BAD, FAST, GOOD, set_flags, write_csv

import bertft
from bertft.commands.train import train
from bertft.commands.train_several import train_seeds
from bertft.errors import DataError
from bertft.jobs.request import TrainRequest
from bertft.loaders.reading import hold_out
from bertft.recipe import load_recipe
from bertft.settings import Recipe
from bertft.tasks.text_rows import TextExample
from bertft.training.folders import verify_folder
from bertft.training.journal import read_journal


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestRunDirectory:
    def test_holds_what_the_documentation_lists(self, trained):
        expected = {"recipe.toml", "environment.json", "journal.jsonl", "last", "best"}
        expected |= {"scores.json", "predictions.jsonl", "report.html", "report.json"}
        assert names(trained) == expected
        best = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
        best |= {"README.md", "bertft.json", "calibration.json", "manifest.json"}
        assert names(trained / "best") == best
        state = {"model.safetensors", "optimizer.safetensors"}
        assert names(trained / "last") == state | {"progress.json", "manifest.json"}

    def test_checkpoints_are_sealed(self, trained):
        for name in ("best", "last"):
            verify_folder(trained / name)
            assert set(read(trained / name / "manifest.json")) == names(trained / name) - {
                "manifest.json"
            }

    def test_the_recipe_reproduces_the_experiment(self, trained, tiny):
        recipe = load_recipe(str(trained / "recipe.toml"))
        assert recipe.hash() == read(trained / "environment.json")["recipe_hash"]
        assert recipe.hash() == read(trained / "best" / "bertft.json")["recipe_hash"]
        depends = read(trained / "last" / "progress.json")["depends"]
        assert depends["recipe"] == recipe.resolved()
        assert depends["environment"] == read(trained / "environment.json")
        assert recipe.model.name == str(tiny)
        assert recipe.training.learning_rate == 5e-3
        assert recipe.data.test == str(trained.parent / "test.csv")
        written = tomllib.loads((trained / "recipe.toml").read_text(encoding="utf-8"))
        assert set(written) == set(Recipe.model_fields)
        assert written["training"]["adam_betas"] == [0.9, 0.999]

    def test_the_environment_identifies_the_inputs(self, trained, tiny):
        found = read(trained / "environment.json")
        assert found["recipe"] == "sentiment"
        assert found["labels"] == ["bad", "good"]
        assert (found["device"], found["precision"]["used"]) == ("cpu", "fp32")
        for name in ("train", "dev", "test"):
            path = trained.parent / f"{name}.csv"
            assert found["data"][name] == {"path": str(path), "sha256": sha256(path)}
        weights = tiny / "model.safetensors"
        assert found["model"]["files"][weights.name] == sha256(weights)
        assert {"python", "bertft", "torch", "transformers"} <= set(found["versions"])
        assert found["threads"] >= 1

    def test_the_journal_has_each_number_once(self, trained):
        events = lines(trained / "journal.jsonl")
        assert [one["event"] for one in events[:2]] == ["plan", "note"]
        assert events[-1]["event"] == "finish"
        steps = [one for one in events if one["event"] == "step"]
        assert [one["step"] for one in steps] == list(range(1, 97))
        assert sum(one["examples"] for one in steps) == 8 * 48
        assert all(math.isfinite(one["loss"]) and one["tokens"] > 0 for one in steps)
        assert max(one["learning_rate"] for one in steps) == 5e-3
        scores = [one for one in events if one["event"] == "scores"]
        assert [one["step"] for one in scores] == list(range(12, 97, 12))

    def test_best_is_the_checkpoint_with_the_best_dev_score(self, trained):
        scores = [one for one in lines(trained / "journal.jsonl") if one["event"] == "scores"]
        best = max(scores, key=lambda one: one["scores"]["accuracy"])  # the first of equals
        card = read(trained / "best" / "bertft.json")
        assert (card["step"], card["dev_scores"]) == (best["step"], best["scores"])
        assert [one["step"] for one in scores if one["is_best"]][-1] == best["step"]

    def test_predictions_have_one_line_for_each_example(self, trained):
        rows = lines(trained / "predictions.jsonl")
        assert [row["id"] for row in rows] == [str(line) for line in range(2, 26)]
        assert [row["text"] for row in rows] == (GOOD + BAD) * 2
        assert [row["gold"] for row in rows] == (["good"] * 6 + ["bad"] * 6) * 2
        for row in rows:
            assert row["loss"] == pytest.approx(-math.log(row["scores"][row["gold"]]))
            assert row["label"] == max(row["scores"], key=row["scores"].get)
            assert row["truncated"] is False

    def test_scores_have_intervals_and_a_baseline(self, trained):
        found = read(trained / "scores.json")
        rows = lines(trained / "predictions.jsonl")
        assert (found["split"], found["n"], found["metric"]) == ("test", 24, "accuracy")
        assert found["data"] == str(trained.parent / "test.csv")
        right = sum(row["label"] == row["gold"] for row in rows) / len(rows)
        assert found["metrics"]["accuracy"]["value"] == right
        for score in found["metrics"].values():
            assert score["low"] <= score["value"] <= score["high"]
        assert found["baseline"]["accuracy"] == 0.5
        assert set(found["per_class"]) == {"bad", "good"}
        assert sum(sum(row.values()) for row in found["confusion"].values()) == 24

    def test_the_model_card_tells_labels_data_and_scores(self, trained):
        card = (trained / "best" / "README.md").read_text(encoding="utf-8")
        assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: text-class")
        assert "Labels: `bad`, `good`" in card
        assert "train `train.csv`, dev `dev.csv`" in card
        assert "| accuracy | " in card


class TestPlainTransformers:
    def test_config_has_the_real_names(self, trained):
        config = read(trained / "best" / "config.json")
        assert config["architectures"] == ["BertForSequenceClassification"]
        assert config["id2label"] == {"0": "bad", "1": "good"}
        assert config["label2id"] == {"bad": 0, "good": 1}
        assert config["problem_type"] == "single_label_classification"
        assert "bertft" not in json.dumps(config)

    def test_pipeline_gives_the_same_probabilities(self, trained):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

        model = AutoModelForSequenceClassification.from_pretrained(trained / "best")
        tokenizer = AutoTokenizer.from_pretrained(trained / "best")
        classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
        texts = [*GOOD, *BAD, "영화 정말 좋다", "a", "the plot is " * 8]
        answers = bertft.load(trained, device="cpu", precision="fp32").predict(texts)
        for theirs, ours in zip(classify(texts), answers, strict=True):
            assert theirs[0]["label"] == ours["label"]
            expected = {one["label"]: one["score"] for one in theirs}
            assert ours["scores"] == pytest.approx(expected, abs=1e-5)
        spread = [one["scores"]["good"] for one in answers]
        assert max(spread) - min(spread) > 0.2  # a trained model, not a constant


class TestData:
    def test_own_training_data_replace_all_data_of_the_recipe(self, ask, ear):
        result = train(ask("run", dev="", test=""), watch=ear)
        assert "no dev set given: 5 rows of the training data are held out" in ear.notes
        assert ear.plans[0].examples == {"train": 43, "dev": 5}
        assert set(read(result.run / "environment.json")["data"]) == {"train"}
        data = load_recipe(str(result.run / "recipe.toml")).data
        assert (data.dev, data.test) == ("", "")
        assert (result.scores["split"], result.scores["n"]) == ("dev", 5)
        assert any("the scores are those of dev" in note for note in ear.notes)

    def test_a_class_that_is_only_in_the_held_out_rows(self, ask, ear, tmp_path):
        rows = [("good", "a"), ("bad", "b"), ("great", "a"), ("awful", "b"), ("slow", "rare")]
        own = str(write_csv(tmp_path / "own.csv", rows))
        held_out = set()
        for seed in range(6):
            fields = {"train": own, "dev": "", "test": "", "seed": seed, "dry_run": True}
            train(ask("run", "data.dev_share=0.4", **fields), watch=ear)
            examples = [TextExample(text, 0, text) for text, _ in rows]
            _, held = hold_out(examples, share=0.4, seed=seed)
            held_out.add("slow" in {one.text for one in held})
        assert held_out == {True, False}
        assert {plan.labels for plan in ear.plans} == {("a", "b", "rare")}

    def test_rows_that_are_left_out_are_counted(self, ask, ear, tmp_path, reviews):
        own = tmp_path / "own.csv"
        text = reviews["train"].read_text(encoding="utf-8") + ",good\na,\n"
        own.write_text(text, encoding="utf-8")
        train(ask("run", train=str(own), on_bad_row="skip", dry_run=True), watch=ear)
        assert ear.plans[0].examples["train"] == 48
        assert ear.notes[0].startswith("2 unusable rows left out; the first: ")
        assert "own.csv:50: the text (column 'text') is empty" in ear.notes[0]

    def test_long_texts_and_unknown_tokens_are_counted_before_training(self, ask, ear, tmp_path):
        rows = [("good " * 40, "a"), ("bad", "b"), ("☃ ☃ ☃", "a")]
        own = str(write_csv(tmp_path / "own.csv", rows))
        train(ask("run", train=own, dev=own, test=own, dry_run=True), watch=ear)
        (plan,) = ear.plans
        assert plan.truncated == 2  # one in train, one in dev
        assert plan.unknown_share == pytest.approx(3 / (32 + 3 + 5))

    def test_hold_out_keeps_file_order_and_depends_on_the_seed_only(self):
        rows = [TextExample(str(number), number, "x") for number in range(100)]
        kept, held = hold_out(rows, share=0.1, seed=1)
        assert (kept, held) == hold_out(rows, share=0.1, seed=1)
        assert sorted(kept + held, key=lambda one: one.line) == rows
        assert kept == sorted(kept, key=lambda one: one.line)
        assert [one.line for one in held] == [8, 15, 17, 32, 57, 60, 63, 72, 83, 97]  # for good
        assert held != hold_out(rows, share=0.1, seed=2)[1]

    def test_hold_out_keeps_groups_together(self):
        """Hypotheses of one premise are in one split, so that dev asks about other premises."""
        rows = [TextExample(str(i), i, f"premise {i // 3}", f"hypothesis {i}") for i in range(60)]
        kept, held = hold_out(rows, share=0.1, seed=1)
        assert [one.line for one in held] == [12, 13, 14, 54, 55, 56]
        assert not {one.text for one in kept} & {one.text for one in held}
        with pytest.raises(DataError, match="too few rows"):
            hold_out(rows[:3], share=0.1, seed=1)


class TestRepeating:
    @pytest.fixture
    def weights(self, ask) -> Callable[..., bytes]:
        def train_once(out: str, **fields: object) -> bytes:
            result = train(ask(out, "training.epochs=1", **fields))
            return (result.run / "best" / "model.safetensors").read_bytes()

        return train_once

    def test_the_same_seed_gives_the_same_bytes(self, weights):
        assert weights("a") == weights("b")
        assert weights("c", seed=14) != weights("d")

    def test_seeds_give_a_run_each_and_their_spread(self, ask, tmp_path):
        results, summary = train_seeds(ask("many", "training.epochs=1"), count=2)
        assert names(tmp_path / "many") == {"base", "several.json", "seed-13", "seed-14"}
        values = [one.scores["metrics"]["accuracy"]["value"] for one in results]
        assert summary["mean"] == pytest.approx(sum(values) / 2)
        assert summary["deviation"] == pytest.approx(abs(values[0] - values[1]) / math.sqrt(2))
        assert summary["collapsed"] == sum(value <= 0.5 for value in values)
        seeds = [load_recipe(str(one.run / "recipe.toml")).training.seed for one in results]
        assert seeds == [13, 14]

    def test_a_failure_with_seeds_leaves_no_folder(self, ask, tmp_path):
        with pytest.raises(bertft.errors.DataError):
            train_seeds(ask("many", train="none.csv"), count=2)
        assert not (tmp_path / "many").exists()


class TestCommandLine:
    def flags(self, reviews: dict[str, Path], tiny: Path) -> list[str]:
        files = [word for name, path in reviews.items() for word in (f"--{name}", str(path))]
        return ["train", "sentiment", "--model", str(tiny), *files, *set_flags(*FAST)]

    def test_dry_run_checks_all_and_writes_nothing(self, command, reviews, tiny, tmp_path):
        before = names(tmp_path)
        code, out, err = command(*self.flags(reviews, tiny), "--dry-run", "--seeds", "3")
        assert (code, out) == (0, "")
        assert "examples  train 48, dev 12, test 24" in err
        assert "steps     12, batch size 8 (2 epochs)" in err
        assert re.search(r"about \d+ s of training left .*, [\d,]+ tokens/s, \d+% of padding", err)
        assert names(tmp_path) == before

    def test_the_default_folder_says_recipe_and_time(self, command, reviews, tiny, tmp_path):
        code, out, err = command(*self.flags(reviews, tiny), "--set", "training.epochs=1")
        assert (code, out) == (0, "")
        (run,) = (tmp_path / "runs").iterdir()
        assert len(run.name.removeprefix("sentiment-")) == len("20260101-120000")
        assert f"bertft predict YOUR.txt --run runs/{run.name}" in err
        assert "accuracy" in err

    def test_seeds_are_summed_up(self, command, reviews, tiny, tmp_path):
        flags = [*self.flags(reviews, tiny), "--set", "training.epochs=1"]
        code, out, err = command(*flags, "--seeds", "2", "--seed", "5", "--out", "many")
        assert (code, out) == (0, "")
        assert names(tmp_path / "many") == {"base", "several.json", "seed-5", "seed-6"}
        assert "standard deviation" in err
        assert "over 2 seeds" in err


def test_what_was_said_is_in_the_journal(
    tiny: Path, tmp_path: Path, reviews: dict[str, Path]
) -> None:
    """The held-out rows and the plan, with its count of cut texts, can be read afterwards."""
    result = train(
        TrainRequest(
            recipe="sentiment",
            overrides=(*FAST, "model.max_length=8"),
            train=str(reviews["train"]),
            model=str(tiny),
            out=str(tmp_path / "noted"),
        )
    )
    assert result is not None
    events = list(read_journal(result.run / "journal.jsonl"))
    (plan,) = [event for event in events if event["event"] == "plan"]
    assert plan["examples"]["train"] + plan["examples"]["dev"] == 48
    assert plan["packed"] is True
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert any("held out" in note for note in notes)
    assert any("no test set" in note for note in notes)
