"""What could mislead without a word is said: aliases, names, constant answers, training on all."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import BAD, FAST, GOOD, Command, set_flags, write_csv
from stopping import Stopper, crash, resume, sending

from bertft.commands.evaluate import evaluate
from bertft.commands.runs import list_runs, show_run
from bertft.commands.train import train
from bertft.commands.train_several import train_seeds
from bertft.errors import DataError, Interrupted, RecipeError
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.loaders.files import resolve
from bertft.prediction.predictor import load
from bertft.runs.compare import compare_runs

Ask = Callable[..., TrainRequest]
ZEROS = [(text, "0") for text in GOOD] + [(text, "1") for text in BAD]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"0", "1", "neg", "pos"}),
        ({"test": "own.csv"}, {"0", "1", "neg", "pos"}),
        ({"train": "own.csv"}, set()),
        ({"overrides": ('data.train="own.csv"',)}, set()),
        ({"train": "own.csv", "overrides": ("task.label_aliases.0=bad",)}, {"0"}),
        ({"train": "own.csv", "overrides": ('task.label_aliases={ja = "yes"}',)}, {"ja"}),
    ],
)
def test_aliases_are_those_of_the_recipes_own_data(
    changes: dict[str, Any], expected: set[str]
) -> None:
    recipe = read_recipe(TrainRequest(recipe="sentiment", **changes))
    assert set(recipe.task["label_aliases"]) == expected


def test_a_recipe_of_ones_own_keeps_its_aliases(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[task]\nname = "classification"\nlabel_aliases = { "0" = "bad" }\n')
    recipe = read_recipe(TrainRequest(recipe=str(path), train="own.csv"))
    assert recipe.task["label_aliases"] == {"0": "bad"}


def test_numbers_of_a_file_stay_and_aliases_that_are_asked_for_are_said(
    ask: Ask, ear: Any, tmp_path: Path
) -> None:
    path = str(write_csv(tmp_path / "own.csv", ZEROS))
    result = train(ask("a", train=path, dev=path, test=""), watch=ear)
    assert result is not None
    assert load(result.run).task.labels == ("0", "1")
    assert not any("read by" in note for note in ear.notes)
    names = 'task.label_aliases={"0" = "good", "1" = "bad"}'
    result = train(ask("b", names, train=path, dev=path, test=""), watch=ear)
    assert result is not None
    assert load(result.run).task.labels == ("bad", "good")
    said = "labels are read by task.label_aliases: 0 as good, 1 as bad"
    assert [note for note in ear.notes if said in note] == [f"train: {said}", f"dev: {said}"]


def test_eval_says_what_labels_are_read_as(run: Path, ear: Any, tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "own.csv", ZEROS))
    with pytest.raises(DataError, match="say what 0, 1"):
        evaluate(str(run), data=path, watch=ear)
    names = 'task.label_names=["good", "bad"]'
    _, scores = evaluate(str(run), data=path, overrides=(names,), watch=ear)
    assert scores["metrics"]["accuracy"]["value"] > 0.5
    assert any("labels are read by task.label_names: 0 as good, 1 as bad" in n for n in ear.notes)


def test_names_that_are_almost_alike_are_found(
    ask: Ask, ear: Any, tmp_path: Path, command: Command
) -> None:
    rows = [(text, "Good") for text in GOOD] + [(text, "good") for text in GOOD[:3]]
    path = str(write_csv(tmp_path / "own.csv", [*rows, *((text, "bad") for text in BAD)]))
    code, out, _ = command("check", "sentiment", "--train", path, "--json")
    found = {one["code"]: one for one in json.loads(out)["findings"]}
    assert code == 0
    assert "'Good' and 'good'" in found["near-equal-labels"]["what"]
    train(ask("a", train=path, dev=path, test=""), watch=ear)
    assert any("'Good' and 'good'" in note for note in ear.notes)


# --- one answer for all -----------------------------------------------------------------------


def test_one_answer_for_all_is_said(ask: Ask, ear: Any) -> None:
    train(ask("a", "training.learning_rate=1e-9", "training.epochs=1"), watch=ear)
    (said,) = [note for note in ear.notes if "try more epochs" in note]
    assert "test: all 24 examples are given the label " in said
    assert "accuracy 0.5000 is no better than the baseline's 0.5000" in said


def test_a_model_that_has_learned_is_not_doubted(run: Path, ear: Any, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "own.csv", [(a, "good") for a in GOOD] + [(a, "bad") for a in BAD])
    evaluate(str(run), data=str(path), watch=ear)
    assert not any("try more epochs" in note for note in ear.notes)


def test_several_labels_get_a_threshold_from_dev(
    ask: Ask, ear: Any, tmp_path: Path, command: Command
) -> None:
    rows = [(text, "good|short") for text in GOOD] + [(text, "bad") for text in BAD]
    path = str(write_csv(tmp_path / "own.csv", rows))
    weak = ("task.multi_label=true", "training.learning_rate=1e-5", "training.epochs=1")
    result = train(ask("a", *weak, train=path, dev=path, test=""), watch=ear)
    assert result is not None
    chosen = load(result.run).task.learned["threshold"]
    assert 0 < chosen < 1
    said = f"a label is given from a probability of {chosen:.4f}, chosen on dev"
    assert said in ear.notes
    assert f"{chosen:.4f}, chosen on dev" in (result.run / "best" / "README.md").read_text()
    # With it, dev is as good as it can be; at 0.5 nothing is given at all.
    assert result.scores["metrics"]["micro_f1"]["value"] > 0.5
    _, scores = evaluate(str(result.run), data=path, precision="fp32")
    assert scores["metrics"]["micro_f1"]["value"] == result.scores["metrics"]["micro_f1"]["value"]
    _, scores = evaluate(str(result.run), data=path, overrides=("task.threshold=0.99",), watch=ear)
    assert scores["metrics"]["micro_f1"]["value"] == 0
    assert "data: all 12 examples are given no label" in ear.notes[-1]
    assert "try a lower task.threshold" in ear.notes[-1]
    fixed = train(ask("b", *weak, "task.threshold=0.9", train=path, dev=path, test=""))
    assert fixed is not None
    assert load(fixed.run).task.learned == {}


# --- all rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["fine-tune", "features"])
def test_all_rows_can_be_trained_on(
    mode: str, ask: Ask, ear: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("data.dev_share=0", f"training.mode={mode}", "training.early_stopping=2")
    result = train(ask("runs/all", *settings, dev="", test=""), watch=ear)
    assert result is not None
    assert ear.plans[0].examples == {"train": 48}
    assert any("all rows train the model" in note for note in ear.notes)
    assert any("no dev and no test set: nothing was scored" in note for note in ear.notes)
    scores = json.loads((result.run / "scores.json").read_text())
    assert (scores["split"], scores["n"], scores["metrics"]) == ("none", 0, {})
    assert not (result.run / "predictions.jsonl").exists()
    assert "nothing was scored" in (result.run / "report.html").read_text()
    card = (result.run / "best" / "README.md").read_text()
    assert "dev none" in card
    assert "dev score" not in card
    assert load(result.run).card["step"] == ear.plans[0].steps
    monkeypatch.chdir(tmp_path)
    assert [row["value"] for row in list_runs(tell=ear.note)] == [None]
    assert show_run(str(result.run))["scores"]["split"] == "none"
    with pytest.raises(Exception, match="score the run"):
        compare_runs(str(result.run), str(result.run))
    test = ask("b").test
    assert evaluate(str(result.run), data=test)[1]["n"] == 24


def test_all_rows_with_a_test_set(ask: Ask, ear: Any) -> None:
    result = train(ask("a", "data.dev_share=0", dev=""), watch=ear)
    assert result is not None
    assert (result.split, result.scores["n"], result.best_dev) == ("test", 24, None)


@pytest.mark.parametrize("step", [3, 12])
def test_a_run_without_dev_goes_on_where_it_was_stopped(step: int, ask: Ask) -> None:
    """The weights are those of a run that was not stopped, also after the very last step."""
    whole = train(ask("whole", "data.dev_share=0", dev=""))
    assert whole is not None
    asked = ask("stopped", "data.dev_share=0", dev="")
    with pytest.raises(ZeroDivisionError if step == 12 else Interrupted):
        train(asked, watch=Stopper(step, crash if step == 12 else sending(signal.SIGINT)))
    result = resume(Path(asked.out))
    weights = [(one.run / "best" / "model.safetensors").read_bytes() for one in (whole, result)]
    assert weights[0] == weights[1]
    assert result.scores["metrics"] == whole.scores["metrics"]


def test_seeds_need_something_to_compare(ask: Ask) -> None:
    with pytest.raises(RecipeError, match="--seeds compares scores"):
        train_seeds(ask("a", "data.dev_share=0", dev="", test=""), count=2)


def few_passages(name: str, path: Path, *, count: int) -> Path:
    content = json.loads(resolve(name).read_text(encoding="utf-8"))
    for article in content["data"]:
        article["paragraphs"] = article["paragraphs"][:1]
    content["data"] = content["data"][:count]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("recipe", ["ner", "qa", "nli"])
def test_every_task_can_train_on_all_rows(recipe: str, tiny: Path, tmp_path: Path) -> None:
    short = (*FAST, "data.dev_share=0", "training.epochs=1", "model.max_length=48")
    if recipe != "nli":
        short = (*short, "task.window_overlap=8")
    bundled = read_recipe(TrainRequest(recipe=recipe)).data.dev
    if recipe == "qa":  # some of its passages are enough
        bundled = str(few_passages(bundled, tmp_path / "few.json", count=4))
    request = TrainRequest(
        recipe=recipe,
        overrides=(*short, "data.dev="),
        train=bundled,
        model=str(tiny),
        out=str(tmp_path / "run"),
    )
    result = train(request)
    assert result is not None
    assert result.split == "none"
    assert load(result.run).card["dev_scores"] is None


def test_the_command_shows_a_run_without_scores(
    command: Command, tiny: Path, reviews: dict[str, Path]
) -> None:
    flags = set_flags(*FAST, "data.dev_share=0")
    asked = ("--train", str(reviews["train"]), "--model", str(tiny))
    code, _, err = command("train", "sentiment", *asked, *flags)
    assert (code, "nothing was scored" in err) == (0, True)
    code, out, _ = command("runs", "list")
    assert code == 0
    assert "none" in out
    code, out, _ = command("runs", "list", "--json")
    assert json.loads(out)[0]["value"] is None
