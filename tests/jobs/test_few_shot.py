"""Few-shot mode: the encoder learns by contrast, the head is fitted; the rest is as ever."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from samples import BAD, FAST, GOOD, write_csv, write_reviews
from stopping import SETTINGS, events, notes, outcome, resume, sending
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import bertft
from bertft.commands.evaluate import evaluate
from bertft.commands.train import train
from bertft.errors import ModelError, RecipeError
from bertft.jobs.few_shot import STEPS
from bertft.jobs.request import TrainRequest, read_recipe

MODE = "training.mode=few-shot"
QUICK = ("training.learning_rate=3e-3", "training.batch_size=16", "training.epochs=1")
ADDED = "bert.encoder.layer.2."
"""The averaging layer on the tiny encoder's two."""


FIT = (MODE, *QUICK)


@pytest.fixture(scope="module")
def done(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that only looks are taken at; its files lie beside it."""
    folder = tmp_path_factory.mktemp("few-shot")
    files = {name: str(path) for name, path in write_reviews(folder).items()}
    request = TrainRequest(
        recipe="sentiment", overrides=(*FAST, MODE, *QUICK, "training.epochs=3"),
        model=str(tiny), out=str(folder / "run"), **files,
    )  # fmt: skip
    result = train(request)
    assert result is not None
    return result.run


def losses(run: Path) -> list[float]:
    return [one["loss"] for one in events(run, "step")]


class TestWhatLearns:
    def test_the_layers_learn_and_nothing_above_or_below_them_does(self, done, tiny):
        start = load_file(tiny / "model.safetensors")
        end = load_file(done / "best" / "model.safetensors")
        moved = {name for name, one in start.items() if not torch.equal(one, end[f"bert.{name}"])}
        assert "encoder.layer.0.output.dense.weight" in moved
        assert "encoder.layer.1.attention.self.query.weight" in moved
        assert {name.split(".")[0] for name in moved} == {"encoder", "pooler"}
        added = {name: one for name, one in end.items() if name.startswith(ADDED)}
        assert {float(x) for one in added.values() for x in one.unique()} == {0.0, 1.0, 256.0}
        assert torch.equal(end["bert.pooler.dense.weight"], 0.05 * torch.eye(32))

    def test_it_learns(self, done):
        assert np.median(losses(done)[-9:]) < 0.97 * np.median(losses(done)[:9])
        scores = json.loads((done / "scores.json").read_text("utf-8"))
        assert scores["metrics"]["accuracy"]["value"] > 0.8

    def test_few_texts_are_taken_several_times(self, done):
        rounds = -(-STEPS * 16 // 48)
        assert len(losses(done)) == 3 * rounds * 3
        assert any(f"each text {3 * rounds} times" in one for one in notes(done))


class TestTheSavedModel:
    def test_plain_transformers_give_the_same_answers(self, done):
        run = done
        model = AutoModelForSequenceClassification.from_pretrained(run / "best").eval()
        tokenizer = AutoTokenizer.from_pretrained(run / "best")
        inputs = tokenizer(GOOD + BAD, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits
        temperature = json.loads((run / "best" / "bertft.json").read_text())["learned"]
        expected = (logits / temperature.get("temperature", 1.0)).softmax(dim=-1).numpy()
        answers = bertft.load(run, device="cpu", precision="fp32").predict(GOOD + BAD)
        for one, row in zip(answers, expected, strict=True):
            found = [one["scores"][model.config.id2label[i]] for i in range(2)]
            np.testing.assert_allclose(found, row, atol=1e-5)

    def test_dev_scores_are_those_of_the_saved_model(self, done):
        run, dev = done, str(done.parent / "dev.csv")
        _, scores = evaluate(str(run), data=dev, device="cpu", precision="fp32")
        kept = [one for one in events(run, "scores") if one["is_best"]][-1]
        assert scores["metrics"]["accuracy"]["value"] == kept["scores"]["accuracy"]

    def test_without_dev_the_head_is_fitted_too(self, fit):
        run = fit("run", "data.dev_share=0", dev="", test="")
        answers = bertft.load(run, device="cpu").predict(GOOD + BAD)
        found = [one["label"] for one in answers]
        assert found[:6].count("good") + found[6:].count("bad") >= 10

    def test_a_text_may_have_several_labels(self, tiny, tmp_path):
        rows = [(text, "good|fun") for text in GOOD] + [(text, "bad") for text in BAD]
        file = write_csv(tmp_path / "several.csv", rows)
        settings = (*FAST, MODE, *QUICK, "task.multi_label=true", "task.label_aliases={}")
        request = TrainRequest(
            recipe="sentiment", overrides=settings, model=str(tiny), train=str(file),
            dev=str(file), out=str(tmp_path / "run"),
        )  # fmt: skip
        result = train(request)
        assert result is not None
        assert result.scores["metrics"]["micro_f1"]["value"] > 0.8


class TestResume:
    @pytest.mark.parametrize("step", [5])
    def test_a_stopped_run_ends_as_one_that_was_not(self, stopped, ask, step):
        run = stopped(step, sending(signal.SIGTERM), settings=(MODE, *QUICK))
        resume(run)
        whole = train(ask("whole", *SETTINGS, MODE, *QUICK))
        assert whole is not None
        assert outcome(run) == outcome(whole.run)


class TestSaid:
    def test_the_mode_is_in_every_record(self, fit, ear):
        run = fit("run", watch=ear)
        assert ear.plans[0].mode == "few-shot"
        assert any(one.startswith("few-shot mode: the encoder learns which") for one in ear.notes)
        assert "by contrast on few examples" in (run / "best" / "README.md").read_text("utf-8")

    def test_it_is_proposed_where_a_label_has_few_examples(self, ask, ear):
        train(ask("run", dry_run=True), watch=ear)
        (said,) = [one for one in ear.notes if "few-shot" in one]
        assert said == (
            "half of the labels have 24 examples or fewer: few-shot mode may be better with so few "
            "(--set training.mode=few-shot)"
        )

    def test_it_is_not_where_there_are_more(self, ask, ear, reviews):
        write_csv(reviews["train"], [("a good film", "good"), ("slow", "bad")] * 32)
        train(ask("run", dry_run=True), watch=ear)
        assert not any("few-shot" in one for one in ear.notes)

    def test_a_head_is_not_kept(self, fit, trained, ear):
        fit("run", model=str(trained), watch=ear)
        assert any(one.endswith("not kept: few-shot mode fits a new one") for one in ear.notes)


@pytest.mark.parametrize(
    ("recipe", "settings", "what"),
    [
        ("ner", (), "ner"),
        ("nli", (), "nli"),
        ("qa", (), "qa"),
        ("stsb", (), "numbers"),
        ("sentiment", ("task.pairs=true",), "pairs of texts"),
    ],
)
def test_what_is_no_label_of_a_text_is_refused(recipe, settings, what):
    request = TrainRequest(recipe=recipe, overrides=(MODE, *settings), train="any.csv")
    said = f"few-shot mode learns labels of single texts, not {what}; --set training.mode=fine-tune"
    with pytest.raises(RecipeError) as fault:
        read_recipe(request)
    assert str(fault.value).startswith(said)


def test_an_encoder_whose_layers_are_not_found_is_refused(ask, monkeypatch):
    monkeypatch.setattr("bertft.jobs.build.depth_of", lambda model: 0)
    with pytest.raises(ModelError, match=r"the layers of .* are not known here; --set training"):
        train(ask("run", MODE))
