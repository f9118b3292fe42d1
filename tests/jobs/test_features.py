"""Features mode: the encoder stays as it is and reads each text once; the rest is as ever."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import checked
from safetensors.torch import load_file
from samples import BAD, FAST, GOOD, set_flags, write_csv
from stopping import SETTINGS, events, figures, notes, outcome, resume, sending
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.bert.modeling_bert import BertEncoder

import bertft
from bertft.cache_folder import cached_files
from bertft.commands.evaluate import evaluate
from bertft.commands.train import train
from bertft.errors import BertftError, RecipeError
from bertft.jobs import kept_states
from bertft.jobs.request import TrainRequest

MODE = "training.mode=features"
ADDED = "bert.encoder.layer.2."
"""The averaging layer on the tiny encoder's two."""


FIT = (MODE,)


@pytest.fixture
def forward_passes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows by one with each pass through an encoder: whether it was one to learn from."""
    passes: list[bool] = []
    forward = BertEncoder.forward

    def counted(self: BertEncoder, *arguments: Any, **settings: Any) -> Any:
        passes.append(torch.is_grad_enabled())
        return forward(self, *arguments, **settings)

    monkeypatch.setattr(BertEncoder, "forward", counted)
    return passes


def learned(run: Path) -> dict[str, Any]:
    return {name: value for name, value in outcome(run).items() if name != "scores"}


class TestWeights:
    def test_the_encoder_is_that_of_the_start_to_the_last_bit(self, fit, tiny):
        start, run = load_file(tiny / "model.safetensors"), fit("run")
        frozen = {name: one for name, one in start.items() if not name.startswith("pooler.")}
        assert len(frozen) > 30
        end = load_file(run / "best" / "model.safetensors")
        for name, one in frozen.items():
            assert one.numpy().tobytes() == end[f"bert.{name}"].numpy().tobytes(), name
        state = load_file(run / "last" / "model.safetensors")
        learned = {"bert.pooler.dense.", "classifier."}
        assert set(state) == {f"{name}{kind}" for name in learned for kind in ("weight", "bias")}
        assert not torch.equal(start["pooler.dense.weight"], end["bert.pooler.dense.weight"])

    def test_the_averaging_layer_does_not_learn(self, fit):
        weights = load_file(fit("run", "training.weight_decay=0.5") / "best" / "model.safetensors")
        added = {name: one for name, one in weights.items() if name.startswith(ADDED)}
        assert len(added) == 16
        assert {float(x) for one in added.values() for x in one.unique()} == {0.0, 1.0, 256.0}

    def test_it_learns(self, fit):
        quick = ("training.epochs=40", "training.learning_rate=0.01", "training.keep=last")
        run = fit("run", *quick, "training.evaluate_every=1000")
        scores = json.loads((run / "scores.json").read_text("utf-8"))
        assert scores["metrics"]["accuracy"]["value"] >= 0.9
        losses = [one["loss"] for one in events(run) if one["event"] == "step"]
        assert losses[-1] < losses[0] / 2


class TestCache:
    def test_a_second_run_does_not_encode_and_is_byte_equal(self, fit, forward_passes, ear):
        first = fit("first")
        there = len(forward_passes)
        forward_passes.clear()
        second = fit("second", watch=ear)
        assert learned(first) == learned(second)
        assert len(forward_passes) == there - 1  # the batch of all texts; the rest is trials
        assert any(
            "24 texts encoded before" in note or "encoded before" in note for note in ear.notes
        )
        assert len(cached_files()) == 1

    def test_no_step_asks_the_encoder(self, fit, forward_passes):
        fit("run", "training.epochs=5")
        assert forward_passes
        assert not any(forward_passes)
        few = len(forward_passes)
        forward_passes.clear()
        fit("again", "training.epochs=10", "training.learning_rate=0.01", "training.seed=3")
        assert len(forward_passes) == few - 1

    def test_each_text_is_encoded_once(self, fit, monkeypatch):
        seen: list[tuple[int, ...]] = []
        compute = kept_states.compute_logits

        def counted(model: Any, encoded: Any, **settings: Any) -> Any:
            seen.extend(tuple(one.input_ids) for one in encoded)
            return compute(model, encoded, **settings)

        monkeypatch.setattr(kept_states, "compute_logits", counted)
        fit("run")
        assert len(seen) == len(set(seen)) == len(GOOD + BAD)

    def test_another_split_of_the_same_rows_is_not_encoded_again(self, fit):
        for seed in (1, 2):
            fit(f"seed-{seed}", f"training.seed={seed}", dev="", test="")
        assert len(cached_files()) == 1

    @pytest.mark.parametrize(
        "setting", ["model.pooling=first", "training.precision=bf16", "model.max_length=8"]
    )
    def test_other_states_are_another_file(self, fit, setting):
        fit("one")
        fit("other", setting)
        assert len(cached_files()) == (1 if "max_length" in setting else 2)

    def test_other_layers_are_another_file(self, fit):
        """As many, but others: the states of one are no states of the other."""
        found = [learned(fit(f"run-{one}", f"model.layers=[{one}]")) for one in (1, 2)]
        assert len(cached_files()) == 2
        assert found[0] != found[1]

    @pytest.mark.parametrize("damage", ["flip", "cut"])
    def test_damage_is_noticed_said_and_repaired(self, fit, ear, damage):
        first = fit("first")
        (path,) = cached_files()
        whole = path.read_bytes()
        flipped = bytes([whole[0] ^ 64]) + whole[1:]
        path.write_bytes(flipped if damage == "flip" else whole[:-40])
        second = fit("second", watch=ear)
        assert f"{path} is damaged: the texts are encoded again" in ear.notes
        assert learned(first) == learned(second)
        assert path.read_bytes() == whole

    def test_an_encoder_of_the_same_name_with_other_weights_is_encoded(self, fit, tiny, tmp_path):
        from safetensors.torch import save_file

        model = shutil.copytree(tiny, tmp_path / "model")
        fit("one", model=str(model))
        weights = load_file(model / "model.safetensors")
        weights["encoder.layer.0.output.dense.bias"] += 0.5
        save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
        fit("other", model=str(model))
        assert len(cached_files()) == 2


class TestTheSavedModel:
    def test_plain_transformers_give_the_same_answers(self, fit):
        run = fit("run", "training.epochs=8")
        model = AutoModelForSequenceClassification.from_pretrained(run / "best").eval()
        tokenizer = AutoTokenizer.from_pretrained(run / "best")
        inputs = tokenizer(GOOD + BAD, padding=True, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**inputs).logits.softmax(dim=-1).numpy()
        answers = bertft.load(run, device="cpu", precision="fp32").predict(GOOD + BAD)
        for one, row in zip(answers, expected, strict=True):
            found = [one["scores"][model.config.id2label[i]] for i in range(2)]
            np.testing.assert_allclose(found, row, atol=1e-5)

    def test_scores_from_states_are_those_of_the_saved_model(self, fit, reviews):
        run = fit("run", "training.epochs=6", "task.class_weights=balanced")
        (best,) = [one for one in figures(run) if one.get("accuracy") is not None][-1:]
        _, scores = evaluate(str(run), data=str(reviews["dev"]), device="cpu", precision="fp32")
        kept = [one for one in events(run) if one["event"] == "scores" and one["is_best"]][-1]
        assert scores["metrics"]["accuracy"]["value"] == kept["scores"]["accuracy"]
        assert best["step"] == 6 * 6


class TestResume:
    @pytest.mark.parametrize("keep", [True, False], ids=["cache kept", "cache cleared"])
    def test_a_stopped_run_ends_as_one_that_was_not(self, stopped, fit, keep):
        run = stopped(5, sending(signal.SIGTERM), settings=(MODE,))
        for path in [] if keep else cached_files():
            path.unlink()
        resume(run)
        assert learned(run) == learned(fit("whole", *SETTINGS))

    def test_a_signal_while_texts_are_encoded(self, ask, monkeypatch):
        monkeypatch.setattr(
            kept_states, "compute_logits", lambda *_, **__: sending(signal.SIGTERM)()
        )
        request = ask("run", MODE)
        with pytest.raises(bertft.errors.Interrupted, match="nothing was written"):
            train(request)
        assert not Path(request.out).exists()
        assert cached_files() == []


class TestSaid:
    def test_the_mode_is_in_every_record(self, fit, command, ear):
        run = fit("run", watch=ear)
        assert ear.plans[0].mode == "features"
        assert ear.plans[0].trainable == 32 * 32 + 32 + 32 * 2 + 2
        assert next(one for one in events(run) if one["event"] == "plan")["mode"] == "features"
        code, out, _ = command("runs", "show", str(run))
        assert code == 0
        assert "sentiment: classification, features\n" in out
        assert "features" in (run / "report.html").read_text("utf-8")
        assert "frozen states of" in (run / "best" / "README.md").read_text("utf-8")

    def test_settings_without_meaning_are_said(self, fit):
        idle = ("training.layer_decay=0.5", "training.gradient_checkpointing=true")
        said = [one for one in notes(fit("run", *idle)) if "not used in features mode" in one]
        assert len(said) == 1
        assert said[0].startswith("training.layer_decay, training.gradient_checkpointing: ")

    def test_what_the_head_reads_is_said(self, fit):
        assert any("reads the mean of all tokens" in one for one in notes(fit("mean")))
        first = notes(fit("first", "model.pooling=first"))
        assert any("reads the first token of" in one and one.endswith(": as set") for one in first)

    def test_a_dry_run_tells_the_cost_and_writes_nothing(self, ask, ear, tmp_path):
        assert train(ask("run", MODE, dry_run=True), watch=ear) is None
        assert any(one.startswith("encoding 12 texts takes about") for one in ear.notes)
        assert not (tmp_path / "run").exists()
        assert cached_files() == []

    def test_the_report_compares_with_fine_tuning(self, fit, ask):
        assert train(ask("tuned")) is not None
        page = checked((fit("run") / "report.html").read_text("utf-8"))
        assert "Another mode of training" in [text for tag, text in page.texts if tag == "h2"]
        assert [row[:2] for row in page.rows if row[0] in ("run", "tuned")][-2:] == [
            ["run", "features"], ["tuned", "fine-tune"],
        ]  # fmt: skip
        assert "paired bootstrap" in page.words

    def test_runs_on_other_data_are_not_compared(self, fit, ask, reviews):
        assert train(ask("tuned")) is not None
        write_csv(reviews["train"], [("a good film", "good"), ("slow", "bad")] * 4)
        page = (fit("run") / "report.html").read_text("utf-8")
        assert "Another mode of training" not in page


class TestRefused:
    def test_several_processes(self, ask):
        from types import SimpleNamespace

        from bertft.jobs.prepare import refuse_idle_processes
        from bertft.jobs.request import read_recipe

        recipe = read_recipe(ask("run", MODE))
        with pytest.raises(RecipeError, match="features mode trains in one process, not 2"):
            refuse_idle_processes(recipe, SimpleNamespace(num_processes=2))

    def test_states_that_are_not_finite(self, fit, tiny, tmp_path):
        from safetensors.torch import save_file

        model = shutil.copytree(tiny, tmp_path / "model")
        weights = load_file(model / "model.safetensors")
        weights["embeddings.LayerNorm.bias"][0] = float("inf")
        save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(BertftError, match=r"not finite|does not answer"):
            fit("run", model=str(model))

    def test_more_states_than_the_cache_holds(self, fit, monkeypatch, tmp_path):
        monkeypatch.setenv("BERTFT_CACHE_GIB", "0.000001")
        with pytest.raises(BertftError, match=r"states take 0\.0 GiB.*; set BERTFT_CACHE_GIB"):
            fit("run")
        assert not (tmp_path / "run").exists()


# --- every task ---------------------------------------------------------------------------------

PAIRS = list(zip(GOOD, BAD, strict=True))
NAMES = ("entailment", "neutral", "contradiction")
TAGGED = [
    "\n".join(f"{word} {'B-THING' if word in ('film', 'food') else 'O'}" for word in text.split())
    for text in GOOD + BAD
]
CONTEXT = "the plot is slow and the food was great"


def question(number: int, text: str) -> str:
    answers = {"text": ["slow"], "answer_start": [CONTEXT.index("slow")]}
    row = {"id": str(number), "question": text, "context": CONTEXT, "answers": answers}
    return json.dumps(row)


TASKS = {
    "multi-label": (
        "sentiment",
        ".csv",
        ["text,label", *(f"{text},good|fun" for text in GOOD), *(f"{text},bad" for text in BAD)],
        ("task.multi_label=true", "task.label_aliases={}"),
    ),
    "regression": (
        "stsb",
        ".csv",
        ["sentence1,sentence2,label", *(f"{a},{b},{i / 2}" for i, (a, b) in enumerate(PAIRS))],
        (),
    ),
    "nli": (
        "nli",
        ".csv",
        ["premise,hypothesis,label"]
        + [f"{a},{b},{NAMES[i % 3]}" for i, (a, b) in enumerate(PAIRS)],
        (),
    ),
    "ner": ("ner", ".conll", ["\n\n".join(TAGGED)], ("task.window_overlap=8",)),
    "qa": (
        "qa",
        ".jsonl",
        [question(number, text) for number, text in enumerate(GOOD)],
        ("task.window_overlap=8", "task.max_question_length=16"),
    ),
    "windows": (
        "sentiment",
        ".csv",
        ["text,label", *(f"{text * 3},x" for text in GOOD), *(f"{text * 3},y" for text in BAD)],
        ("task.long_text=windows", "task.window_overlap=2", "model.max_length=8"),
    ),
}


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_learns_from_states(
    kind: str, tiny: Path, tmp_path: Path, forward_passes: list[bool]
) -> None:
    """Dev scores come from states, final scores from the saved model: they must be the same."""
    recipe, suffix, lines, settings = TASKS[kind]
    file = tmp_path / f"data{suffix}"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    request = TrainRequest(
        recipe=recipe,
        overrides=(*FAST, MODE, *settings),
        model=str(tiny),
        train=str(file),
        dev=str(file),
        out=str(tmp_path / "run"),
    )
    result = train(request)
    assert result is not None
    assert not any(forward_passes)
    kept = [one for one in events(result.run) if one["event"] == "scores" and one["is_best"]][-1]
    found = {name: one["value"] for name, one in result.scores["metrics"].items()}
    assert kept["scores"].pop("loss") > 0  # of dev alone
    for name, value in kept["scores"].items():
        assert found[name] == pytest.approx(value, abs=1e-4), name


def test_the_mean_is_refused_where_a_head_reads_tokens(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "data.conll"
    file.write_text("\n\n".join(TAGGED) + "\n", encoding="utf-8")
    overrides = (*FAST, MODE, "model.pooling=mean", "task.window_overlap=8")
    request = TrainRequest(recipe="ner", overrides=overrides, model=str(tiny), train=str(file))
    with pytest.raises(BertftError, match=r"model\.pooling = mean: the head of ner reads every"):
        train(request)


def test_the_installed_command(tmp_path: Path, tiny: Path, reviews: dict[str, Path]) -> None:
    """Trained and scored; the cache is shown and cleared."""
    command = str(Path(sys.executable).parent / "bertft")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    files = [part for name, path in reviews.items() for part in (f"--{name}", str(path))]
    asked = ["train", "sentiment", "--model", str(tiny), *files, *set_flags(*FAST, MODE)]
    said = run(*asked, "--out", "run").stderr
    assert "features mode: the encoder stays as it is" in said
    assert "12 texts encoded in" in said
    assert (tmp_path / "run" / "scores.json").is_file()
    (row,) = json.loads(run("cache", "list", "--json").stdout)
    assert row["kept"].endswith(".states")
    assert "1 file (" in run("cache", "clear").stderr
    assert json.loads(run("cache", "list", "--json").stdout) == []
