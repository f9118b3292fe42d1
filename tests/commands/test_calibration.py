"""Training calibrates on dev: labels stay, probabilities are stored with the model and applied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import BAD, GOOD

import bertft
from bertft.commands.train import told_by_dev
from bertft.evaluation.probabilities import softmax
from bertft.runs.stored import read_dev


@pytest.fixture(scope="module")
def calibrated(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with 60 rows of dev, a third of which are labelled against what the words say."""
    folder = tmp_path_factory.mktemp("calibrated")
    generator = np.random.default_rng(0)

    def rows(count: int, wrong: float) -> str:
        lines = ["text\tlabel"]
        for number in range(count):
            good = number % 2 == 0
            text = (GOOD if good else BAD)[number // 2 % len(GOOD if good else BAD)]
            label = good != (generator.random() < wrong)
            lines.append(f"{text} {'very ' * (number // 10 % 4)}\t{'good' if label else 'bad'}")
        return "\n".join(lines) + "\n"

    for name, count, wrong in (("train", 64, 0.0), ("dev", 60, 0.33), ("test", 40, 0.33)):
        (folder / f"{name}.tsv").write_text(rows(count, wrong), encoding="utf-8")
    files = {name: str(folder / f"{name}.tsv") for name in ("train", "dev", "test")}
    settings = ["training.epochs=20", "training.batch_size=8", "training.learning_rate=5e-3",
                "model.max_length=32", "training.keep=last",
                "training.device=cpu", "training.precision=fp32"]  # fmt: skip
    return bertft.train("sentiment", model=str(tiny), out=str(folder / "run"), settings=settings,
                        **files).run  # fmt: skip


def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_temperature_is_stored_and_applied(calibrated: Path, tmp_path: Path) -> None:
    card = content(calibrated / "best" / "bertft.json")
    heat = card["learned"]["temperature"]
    assert heat > 1.1  # the model is sure of what dev contradicts
    plain = tmp_path / "plain"
    shutil.copytree(calibrated / "best", plain)
    (plain / "bertft.json").write_text(json.dumps(card | {"learned": {}}), encoding="utf-8")
    texts = [*GOOD, *BAD]
    ours, raw = (
        bertft.load(one, device="cpu", precision="fp32").predict(texts)
        for one in (calibrated, plain)
    )
    for one, before in zip(ours, raw, strict=True):
        assert one["label"] == before["label"]
        z = np.log([before["scores"][name] for name in one["scores"]])
        assert list(one["scores"].values()) == pytest.approx(list(softmax(z / heat)))


def test_weights_are_as_they_were_trained(calibrated: Path) -> None:
    """Plain transformers gives the same label; its logits are not scaled."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(calibrated / "best").eval()
    tokenizer = AutoTokenizer.from_pretrained(calibrated / "best")
    heat = content(calibrated / "best" / "bertft.json")["learned"]["temperature"]
    for one in bertft.load(calibrated, device="cpu", precision="fp32").predict([*GOOD, *BAD]):
        logits = model(**tokenizer(one["text"], return_tensors="pt")).logits[0].detach().numpy()
        assert model.config.id2label[int(logits.argmax())] == one["label"]
        assert max(softmax(logits / heat)) == pytest.approx(one["score"], abs=1e-4)


def test_scores_say_how_it_was_before(calibrated: Path) -> None:
    found = content(calibrated / "scores.json")["calibration"]
    assert found["predictions"] == 40
    assert found["before"]["nll"] > found["nll"]
    dev = read_dev(calibrated / "best")
    assert dev is not None
    assert (dev.examples, len(dev.confidence), len(dev.improbable), dev.folds) == (60, 60, 60, 5)
    assert dev.before["nll"] > dev.cross_fitted["nll"] > dev.fitted["nll"] - 1e-9
    (said,) = told_by_dev(calibrated / "best")
    heat = content(calibrated / "best" / "bertft.json")["learned"]["temperature"]
    assert f"calibrated on dev (temperature {heat:.2f})" in said
    assert "cross-fitted" in said
    assert "fitted on dev" in (calibrated / "best" / "README.md").read_text(encoding="utf-8")


def test_a_small_dev_set_calibrates_nothing_and_that_is_said(trained: Path) -> None:
    (said,) = told_by_dev(trained / "best")
    assert said.startswith("probabilities are not calibrated: ")
    assert said.endswith("are fewer than 50 on dev")
    assert "temperature" not in content(trained / "best" / "bertft.json")["learned"]
    assert "before" not in content(trained / "scores.json")["calibration"]


def test_without_dev_nothing_is_kept_of_it(tiny: Path, reviews, tmp_path: Path) -> None:
    settings = [
        "data.dev_share=0",
        "model.max_length=32",
        "training.epochs=1",
        "training.device=cpu",
    ]
    run = bertft.train("sentiment", train=str(reviews["train"]), model=str(tiny),
                       out=str(tmp_path / "run"), settings=settings).run  # fmt: skip
    assert not (run / "best" / "calibration.json").exists()
    assert list(told_by_dev(run / "best")) == []
