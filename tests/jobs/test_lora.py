"""LoRA: adapters and head learn, best/ is a plain model, the adapters are peft's."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from bases import ROWS, request, write
from safetensors.torch import load_file
from samples import FAST, set_flags
from stopping import SETTINGS, Stopper, crash, notes, outcome, resume, sending
from transformers import AutoConfig, AutoTokenizer

from bertft.commands.train import train
from bertft.errors import BertftError, DeviceError, Interrupted
from bertft.jobs import dev
from bertft.jobs.lora import check_lora

peft = pytest.importorskip("peft", reason="peft is not installed: pip install '.[lora]'")

MODE = "training.mode=lora"
TASKS = {
    "classification": "SequenceClassification",
    "regression": "SequenceClassification",
    "nli": "SequenceClassification",
    "ner": "TokenClassification",
    "qa": "QuestionAnswering",
}


FIT = (MODE,)


@pytest.fixture(scope="module")
def learned(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A run with adapters of each task, made once."""
    folder = tmp_path_factory.mktemp("lora")

    def of(kind: str) -> Path:
        run = folder / kind
        if not run.exists():
            data = write(folder / f"{kind}.jsonl", ROWS[kind])
            quick = ("training.epochs=4", "training.keep=last", MODE, "training.learning_rate=0.02")
            assert train(request(kind, data, tiny, run, *quick)) is not None
        return run

    return of


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    inputs = tokenizer("is it good", "the film was never dull", return_tensors="pt")
    with torch.inference_mode():
        found = model.eval()(**inputs)
    return (
        found.logits if "logits" in found else torch.stack([found.start_logits, found.end_logits])
    )


class TestWeights:
    def test_adapters_and_head_learn_and_nothing_else(self, fit, tiny):
        run = fit("run")
        start, end = (
            load_file(tiny / "model.safetensors"),
            load_file(run / "best/model.safetensors"),
        )
        changed = {name for name, one in start.items() if not torch.equal(one, end[f"bert.{name}"])}
        linear = {
            name
            for name, one in start.items()
            if name.startswith("encoder.") and name.endswith(".weight") and one.ndim == 2
        }
        assert len(linear) == 12
        assert changed == linear | {"pooler.dense.weight", "pooler.dense.bias"}

    def test_it_learns(self, fit):
        quick = ("training.epochs=20", "training.learning_rate=0.005", "training.keep=last")
        scores = json.loads((fit("run", *quick) / "scores.json").read_text("utf-8"))
        assert scores["metrics"]["accuracy"]["value"] == 1.0

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_the_plan_counts_what_learns(self, fit, ear, precision):
        run = fit("run", f"training.precision={precision}", "lora.rank=2", watch=ear)
        # Of each layer query, key, value and output (32 x 32), and both of the feed-forward part.
        adapters = 2 * 2 * (4 * (32 + 32) + 2 * (32 + 64))
        head = (32 * 32 + 32) + (2 * 32 + 2)
        (plan,) = ear.plans
        assert plan.trainable == adapters + head
        assert plan.packed
        said = (
            "LoRA: adapters of rank 2 on 12 linear layers, and the head, learn at a rate of 0.005"
        )
        assert said in notes(run)
        state = load_file(run / "last" / "model.safetensors")
        assert sum(one.numel() for one in state.values()) == plan.trainable

    def test_frozen_layers_get_no_adapters(self, fit, tiny):
        run = fit("run", "training.freeze=layers:1", 'lora.targets=["query", "value"]')
        start, end = (
            load_file(tiny / "model.safetensors"),
            load_file(run / "best/model.safetensors"),
        )
        changed = {name for name, one in start.items() if not torch.equal(one, end[f"bert.{name}"])}
        own = "encoder.layer.1.attention.self."
        pooler = {"pooler.dense.weight", "pooler.dense.bias"}
        assert changed == {f"{own}query.weight", f"{own}value.weight"} | pooler

    def test_alpha_scales_what_an_adapter_adds(self, fit, tiny):
        start = load_file(tiny / "model.safetensors")["encoder.layer.0.output.dense.weight"]
        steps = ("training.epochs=1", "training.batch_size=32", "training.keep=last")
        steps += ("training.max_gradient_norm=0", "training.dropout=0")
        deltas = []
        for alpha in (8, 16):
            run = fit(f"alpha-{alpha}", *steps, f"lora.alpha={alpha}")
            end = load_file(run / "best" / "model.safetensors")
            deltas.append(end["bert.encoder.layer.0.output.dense.weight"] - start)
        once, twice = (float(one.norm()) for one in deltas)
        assert twice == pytest.approx(2 * once, rel=0.05)


class TestSaved:
    @pytest.mark.parametrize("kind", TASKS)
    def test_best_is_a_plain_model(self, learned, tiny, kind):
        """The same files as fine-tuning leaves, and no name of peft's in them."""
        best = learned(kind) / "best"
        auto = getattr(transformers, f"AutoModelFor{TASKS[kind]}")
        model, told = auto.from_pretrained(best, output_loading_info=True)
        assert not any(told[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
        assert type(model).__module__.startswith("transformers.")
        assert not any("lora" in name for name, _ in model.named_modules())
        names = set(load_file(best / "model.safetensors"))
        assert names == set(model.state_dict())

    @pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")  # peft 0.21
    @pytest.mark.parametrize("kind", TASKS)
    def test_the_adapters_on_the_encoder_give_the_same_logits(self, learned, tiny, kind):
        best = learned(kind) / "best"
        auto = getattr(transformers, f"AutoModelFor{TASKS[kind]}")
        tokenizer = AutoTokenizer.from_pretrained(best)
        torch.manual_seed(5)
        bare = auto.from_pretrained(tiny, config=AutoConfig.from_pretrained(best))
        before = logits(bare, tokenizer)
        whole = peft.PeftModel.from_pretrained(bare, best / "adapter")
        expected = logits(auto.from_pretrained(best), tokenizer)
        assert float((logits(whole, tokenizer) - expected).abs().max()) < 1e-5
        assert float((before - expected).abs().max()) > 1e-2

    def test_the_config_names_the_encoder_and_what_was_adapted(self, learned, tiny):
        folder = learned("qa") / "best" / "adapter"
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        assert config["base_model_name_or_path"] == str(tiny)
        assert (config["r"], config["lora_alpha"], config["peft_type"]) == (8, 16.0, "LORA")
        assert config["modules_to_save"] == ["qa_outputs"]
        assert {path.name for path in folder.iterdir()} == {
            "adapter_config.json",
            "adapter_model.safetensors",
        }

    def test_dev_scores_are_those_of_merged_weights(self, fit, monkeypatch):
        seen: list[bool] = []
        compute = dev.compute_logits

        def noted(model: Any, encoded: Any, **settings: Any) -> Any:
            seen.extend(one.merged for one in model.modules() if hasattr(one, "lora_A"))
            return compute(model, encoded, **settings)

        monkeypatch.setattr(dev, "compute_logits", noted)
        fit("run")
        assert len(seen) >= 3 * 12  # once to check the metric, and after each epoch
        assert all(seen)


class TestResume:
    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    @pytest.mark.parametrize(
        ("act", "error"), [(sending(signal.SIGTERM), Interrupted), (crash, ZeroDivisionError)]
    )
    def test_a_stopped_run_ends_as_one_that_was_not(self, fit, ask, precision, act, error):
        """After a crash, too, when steps that were not saved are taken again."""
        settings = (*SETTINGS, f"training.precision={precision}", "lora.dropout=0.2")
        whole = outcome(fit("whole", *settings))
        asked = ask("stopped", MODE, *settings)
        with pytest.raises(error):
            train(asked, watch=Stopper(6, act))
        resume(Path(asked.out))
        assert outcome(Path(asked.out)) == whole

    def test_scoring_changes_nothing_of_the_weights(self, fit):
        """The adapters are merged for each score, and taken out to the last bit."""
        often = outcome(fit("often", "training.evaluate_every=1", "training.keep=last"))
        once = outcome(fit("once", "training.evaluate_every=0", "training.keep=last"))
        for file in ("best/model.safetensors", "last/model.safetensors"):
            assert often[file] == once[file]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            ["training.freeze=encoder"],
            "training.mode = lora trains adapters in the encoder, training.freeze = encoder none; "
            "--set training.mode=features, or training.freeze=layers:4",
        ),
        (
            ["training.freeze=layers:2"],
            "training.mode = lora: every layer of the encoder that could learn is frozen; "
            "freeze fewer layers, or --set training.mode=features",
        ),
        (
            ['lora.targets=["querry"]'],
            "lora.targets: no linear layer 'querry' in this encoder; did you mean 'query'?",
        ),
        (["lora.rank=0"], "--set lora.rank=0: lora.rank: input should be greater than or equal"),
        (["lora.rang=4"], "--set lora.rang=4: unknown key 'lora.rang'; did you mean 'rank'?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(fit, settings, line):
    with pytest.raises(BertftError) as caught:
        fit("run", *settings)
    said = str(caught.value) if caught.value.hint is None else caught.value.message
    assert line.startswith(said) or line in str(caught.value)


def test_pre_training_is_refused(command, tiny, tmp_path):
    code, _, err = command(
        "train", "pretrain", "--model", str(tiny), "--out", "run", *set_flags(*FAST, MODE)
    )
    assert code == 2
    assert "pretraining trains the encoder itself: training.mode = lora would leave it" in err


def test_without_peft_one_line_says_what_to_install(command, reviews, tiny, monkeypatch):
    monkeypatch.setattr("bertft.engines.exported.find_spec", lambda name: None)
    flags = ("--train", str(reviews["train"]), "--model", str(tiny), "--out", "run")
    code, _, err = command("train", "sentiment", *flags, *set_flags(*FAST, MODE))
    assert code == 2
    line = "error: lora needs peft, which is not installed; pip install 'bertft[lora]'"
    assert err.splitlines()[-1] == line


def test_a_model_in_parts_is_refused():
    job: Any = SimpleNamespace(runtime=SimpleNamespace(sharded=True))
    with pytest.raises(DeviceError, match="LoRA on a sharded model \\(FSDP\\) is not supported"):
        check_lora(job)


def test_settings_of_adapters_without_the_mode_are_told(ask, ear):
    assert train(ask("run", "lora.rank=4"), watch=ear) is not None
    assert "[lora]: not used, for training.mode is fine-tune" in ear.notes


@pytest.mark.parametrize(
    ("family", "adapted", "own"),
    [
        ("DistilBert", 12, {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}),
        ("Albert", 7, {}),
        ("ModernBert", 8, {"pad_token_id": 0}),
    ],
)
def test_other_families_learn_too(tiny, ask, tmp_path, family, adapted, own):
    """DistilBERT names its layers otherwise and has no pooler, ALBERT has one layer, ModernBERT one
    product for queries, keys and values."""
    folder = tmp_path / family
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape |= {"intermediate_size": 64}
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(AutoTokenizer.from_pretrained(tiny)),
        max_position_embeddings=64,
        **(shape if family != "DistilBert" else {}),
        **own,
    )
    torch.manual_seed(0)
    getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    result = train(ask(f"run-{family}", MODE, model=str(folder)))
    said = f"LoRA: adapters of rank 8 on {adapted} linear layers"
    assert any(one.startswith(said) for one in notes(result.run)), notes(result.run)
