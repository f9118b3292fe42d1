"""train: each training setting does what its name says, measured on losses and weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stopping import events, notes
from torch.nn import functional

from bertft.commands.train import train
from bertft.jobs.build import build_model
from bertft.jobs.prepare import prepare
from bertft.jobs.request import read_recipe
from bertft.recipe import load_recipe
from bertft.watch import Silent

ONE_STEP = ("training.epochs=1", "training.batch_size=48", "training.warmup=0")


def losses(run: Path) -> list[float]:
    return [row["loss"] for row in events(run, "step")]


@pytest.fixture(scope="session")
def still(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model without dropout, so that a loss can be computed a second time."""
    folder = Path(shutil.copytree(tiny, tmp_path_factory.mktemp("still") / "model"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


@pytest.fixture
def uneven(tmp_path: Path) -> str:
    """36 good and 12 bad reviews."""
    rows = [("a good film", "good"), ("i love it", "good"), ("great", "good"), ("awful", "bad")]
    path = tmp_path / "uneven.csv"
    body = "".join(f"{text},{label}\n" for text, label in rows * 12)
    path.write_text("text,label\n" + body, encoding="utf-8")
    return str(path)


class TestLoss:
    """The first step's loss, against torch on the model as it is built."""

    def logits(self, request) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [N, C] of the untrained model on padded rows one by one, and the targets [N]."""
        job = prepare(read_recipe(request), request, watch=Silent())
        model, _ = build_model(job)
        model.train(False)
        rows = job.encoded["train"]
        with torch.inference_mode():
            found = [model(input_ids=torch.tensor([one.input_ids])).logits[0] for one in rows]
        return torch.stack(found), torch.tensor([one.target for one in rows])

    def test_is_the_mean_cross_entropy(self, ask, still, uneven):
        request = ask("run", *ONE_STEP, model=still, train=uneven)
        expected = functional.cross_entropy(*self.logits(request))
        assert losses(train(request).run) == [pytest.approx(float(expected), abs=1e-5)]

    def test_balanced_class_weights(self, ask, still, uneven):
        request = ask("run", *ONE_STEP, "task.class_weights=balanced", model=still, train=uneven)
        logits, targets = self.logits(request)
        weights = torch.tensor([48 / (2 * 12), 48 / (2 * 36)])
        expected = functional.cross_entropy(logits, targets, weight=weights)
        assert losses(train(request).run) == [pytest.approx(float(expected), abs=1e-5)]
        assert abs(expected - functional.cross_entropy(logits, targets)) > 1e-4

    def test_label_smoothing(self, ask, still, uneven):
        request = ask("run", *ONE_STEP, "task.label_smoothing=0.3", model=still, train=uneven)
        logits, targets = self.logits(request)
        expected = functional.cross_entropy(logits, targets, label_smoothing=0.3)
        assert losses(train(request).run) == [pytest.approx(float(expected), abs=1e-5)]

    def test_accumulated_batches_give_the_step_of_one_large_batch(self, ask, still, uneven):
        whole = train(ask("a", "training.batch_size=16", model=still, train=uneven))
        small = ("training.batch_size=5", "training.gradient_accumulation=3")
        parts = train(ask("b", *small, "training.epochs=2", model=still, train=uneven))
        assert len(losses(whole.run)) == 2 * 3
        assert len(losses(parts.run)) == 2 * 4  # 15 + 15 + 15 + 3 examples
        even = ("training.batch_size=4", "training.gradient_accumulation=4")
        equal = train(ask("c", *even, model=still, train=uneven))
        assert losses(equal.run) == pytest.approx(losses(whole.run), abs=1e-4)

    def test_gradient_checkpointing_changes_no_number(self, ask):
        plain = train(ask("a"))
        saving = train(ask("b", "training.gradient_checkpointing=true"))
        assert losses(saving.run) == pytest.approx(losses(plain.run), abs=1e-6)
        norms = [
            [row["gradient_norm"] for row in events(one.run, "step")] for one in (plain, saving)
        ]
        assert norms[1] == pytest.approx(norms[0], rel=1e-4)

    def test_dropout_is_the_recipe_s(self, ask, tiny, still, uneven):
        """Switched off it gives the losses of a model that has none; the config keeps its own."""
        calm = train(ask("a", *ONE_STEP, model=still, train=uneven))
        off = train(ask("b", *ONE_STEP, "training.dropout=0", model=str(tiny), train=uneven))
        own = train(ask("c", *ONE_STEP, model=str(tiny), train=uneven))
        assert losses(off.run) == losses(calm.run)
        assert losses(own.run) != losses(calm.run)
        found = json.loads((off.run / "best" / "config.json").read_text(encoding="utf-8"))
        assert found["hidden_dropout_prob"] == 0.1
        assert "dropout while training is 0, whatever the model's config says" in notes(off.run)


class TestWeights:
    def moved(self, request) -> dict[str, float]:
        """Largest change of each weight from the model as it is built to the end of training."""
        model, _ = build_model(prepare(read_recipe(request), request, watch=Silent()))
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        after = load_file(train(request).run / "last" / "model.safetensors")
        return {name: float((after[name] - before[name]).abs().max()) for name in after}

    def test_a_frozen_encoder_stays_as_it_was(self, ask, tiny):
        result = train(ask("run", "training.freeze=encoder"))
        before = load_file(tiny / "model.safetensors")
        after = load_file(result.run / "best" / "model.safetensors")
        changed = {name for name in before if not torch.equal(before[name], after[f"bert.{name}"])}
        assert changed == {"pooler.dense.weight", "pooler.dense.bias"}

    def test_frozen_layers_stay_as_they_were(self, ask, tiny):
        result = train(ask("run", "training.freeze=layers:1"))
        before = load_file(tiny / "model.safetensors")
        after = load_file(result.run / "best" / "model.safetensors")
        changed = {name for name in before if not torch.equal(before[name], after[f"bert.{name}"])}
        assert changed == {
            name for name in before if name.startswith(("encoder.layer.1.", "pooler."))
        }

    def test_nothing_is_frozen_otherwise(self, ask):
        moved = self.moved(ask("run"))
        assert min(moved.values()) > 0

    def test_layer_decay_slows_the_layers_below(self, ask):
        """Adam's first step moves a weight by its learning rate, whatever the gradient."""
        settings = ("training.layer_decay=0.5", "training.weight_decay=0")
        moved = self.moved(ask("run", *ONE_STEP, "training.schedule=constant", *settings))
        rates = {
            "classifier.weight": 1,
            "bert.pooler.dense.weight": 1,
            "bert.encoder.layer.1.output.dense.weight": 1 / 2,
            "bert.encoder.layer.0.output.dense.weight": 1 / 4,
            "bert.embeddings.word_embeddings.weight": 1 / 8,
        }
        for name, share in rates.items():
            assert moved[name] == pytest.approx(5e-3 * share, rel=0.01), name


class TestStopping:
    def test_early_stopping(self, ask):
        """With a learning rate of nearly nothing no evaluation is better than the first."""
        settings = ("training.epochs=9", "training.learning_rate=1e-12")
        result = train(ask("run", *settings, "training.early_stopping=2"))
        assert [row["step"] for row in events(result.run, "scores")] == [6, 12, 18]
        assert len(losses(result.run)) == 18
        assert notes(result.run).count("stopped: no better score in 2 evaluations") == 1
        (finish,) = events(result.run, "finish")
        assert finish["best_step"] == 6
        assert (result.run / "scores.json").exists()

    def test_evaluations_by_steps(self, ask):
        result = train(ask("run", "training.evaluate_every=5"))
        assert [row["step"] for row in events(result.run, "scores")] == [5, 10, 12]

    def test_the_recipe_s_metric_chooses_and_is_reported(self, ask):
        result = train(ask("run", "training.metric=macro_f1"))
        best = [row for row in events(result.run, "scores") if row["is_best"]][-1]
        assert result.best_dev == best["scores"]["macro_f1"]
        assert result.scores["metric"] == "macro_f1"

    def test_the_model_remembers_its_length(self, ask):
        result = train(ask("run", "model.max_length=9", "training.epochs=1"))
        card = json.loads((result.run / "best" / "bertft.json").read_text(encoding="utf-8"))
        assert card["max_length"] == 9
        assert load_recipe(str(result.run / "recipe.toml")).model.max_length == 9
