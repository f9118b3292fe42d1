"""Answers that are withheld, and sets of labels: what is asked for, counted and refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from samples import BAD, GOOD

import bertft
from bertft.errors import BertftError, RunError
from bertft.evaluation.calibration import choices_of
from bertft.evaluation.reliability import dev_content
from bertft.prediction.certainty import Certainty
from bertft.runs.stored import read_dev
from bertft.tasks import make_task
from bertft.watch import Silent

TEXTS = [*GOOD, *BAD, "the plot is very slow", "a"]
TASKS: dict[str, dict[str, Any]] = {
    "classification": {"name": "classification"},
    "nli": {"name": "nli"},
    "labels": {"name": "classification", "multi_label": True},
    "number": {"name": "classification", "regression": True},
    "ner": {"name": "ner"},
    "qa": {"name": "qa"},
}


class Ear(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def task_of(kind: str) -> Any:
    labels = {"ner": ["O", "B-PER", "I-PER"], "qa": [], "number": []}.get(kind, ["bad", "good"])
    return make_task(TASKS[kind]).bind(labels, {})


def kept(folder: Path, *, size: int = 200) -> np.ndarray[Any, Any]:
    """A calibration.json of two labels in a folder; the confidences, right as often as they say."""
    generator = np.random.default_rng(0)
    good = generator.random(size)
    gold = (generator.random(size) < good).astype(int)
    evidence = choices_of(np.column_stack([1 - good, good]), gold)
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(dev_content(evidence, ()))
    (folder / "calibration.json").write_text(content, encoding="utf-8")
    return np.maximum(good, 1 - good)


def answer(good: float, label: str = "good") -> dict[str, Any]:
    scores = dict(sorted({"good": good, "bad": 1 - good}.items(), key=lambda one: -one[1]))
    return {"id": "1", "text": "t", "label": label, "score": max(good, 1 - good), "scores": scores}


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a run whose dev set says something."""
    folder = tmp_path / "own"
    shutil.copytree(trained, folder)
    kept(folder / "best")
    return folder


class TestRule:
    def test_what_is_uncertain_is_withheld_and_counted(self, tmp_path: Path) -> None:
        ear = Ear()
        rule = Certainty(min_confidence=0.8).rule(task_of("nli"), tmp_path, watch=ear)
        low, high = rule.apply(answer(0.79)), rule.apply(answer(0.8))
        assert (low["label"], low["score"], low["withheld"]) == (None, 0.79, True)
        assert low["scores"] == {"good": 0.79, "bad": pytest.approx(0.21)}
        assert (high["label"], high["withheld"]) == ("good", False)
        error = {"id": "1", "error": "no text"}
        assert rule.apply(error) == error
        rule.tell(ear)
        assert ear.notes == ["1 of 2 answers are withheld: their probability is below 0.8000"]

    def test_entities_are_left_out_and_answers_have_no_place(self, tmp_path: Path) -> None:
        entities = [{"start": 0, "end": 1, "label": "PER", "score": p} for p in (0.2, 0.9)]
        ear = Ear()
        rule = Certainty(min_confidence=0.5).rule(task_of("ner"), tmp_path, watch=ear)
        given = rule.apply({"id": "1", "text": "ab", "entities": entities})
        assert [one["score"] for one in given["entities"]] == [0.9]
        rule.tell(ear)
        assert ear.notes == ["1 of 2 entities are left out: their probability is below 0.5000"]
        rule = Certainty(min_confidence=0.5).rule(task_of("qa"), tmp_path, watch=ear)
        asked = {"id": "1", "answer": "a", "start": 3, "end": 4, "score": 0.4, "no_answer": False}
        given = rule.apply(asked)
        assert (given["answer"], given["start"], given["end"]) == (None, None, None)
        assert (given["score"], given["no_answer"], given["withheld"]) == (0.4, False, True)

    def test_a_threshold_for_an_accuracy_is_that_of_dev(self, tmp_path: Path) -> None:
        kept(tmp_path)
        ear = Ear()
        rule = Certainty(target_accuracy=0.9).rule(task_of("nli"), tmp_path, watch=ear)
        dev = read_dev(tmp_path)
        assert dev is not None
        assert rule.least is not None
        given = [ok for p, ok in zip(dev.confidence, dev.right, strict=True) if p >= rule.least]
        assert sum(given) / len(given) >= 0.9
        (said,) = ear.notes
        assert f"on dev {len(given)} of 200 predictions reach it ({len(given) / 2:.1f}%)" in said
        assert "95 % CI" in said
        assert "as dev chose the threshold, expect a little less" in said

    def test_what_cannot_be_reached_is_refused(self, tmp_path: Path) -> None:
        evidence = choices_of([[0.1, 0.9]] * 20, [0] * 20)
        content = json.dumps(dev_content(evidence, ()))
        (tmp_path / "calibration.json").write_text(content, encoding="utf-8")
        with pytest.raises(BertftError, match=r"no threshold reaches it on dev") as caught:
            Certainty(target_accuracy=0.9).rule(task_of("nli"), tmp_path, watch=Silent())
        assert "all 20 dev predictions together reach 0.0000" in caught.value.hint

    def test_sets_hold_what_is_probable_enough(self, tmp_path: Path) -> None:
        kept(tmp_path, size=9)
        dev = read_dev(tmp_path)
        assert dev is not None
        ear = Ear()
        rule = Certainty(coverage=0.8).rule(task_of("nli"), tmp_path, watch=ear)
        assert rule.allowed == sorted(dev.improbable)[7]  # ceil(10 * 0.8)
        edge = 1 - rule.allowed
        assert rule.apply(answer(edge + 0.01))["label_set"][0] in ("good", "bad")
        assert rule.apply(answer(1.0))["label_set"] == ["good"]
        rule.allowed = 0.3
        assert rule.apply(answer(0.6))["label_set"] == []
        rule.tell(ear)
        assert "1 are empty: no label is probable enough" in ear.notes[-1]
        rule = Certainty(coverage=0.95).rule(task_of("nli"), tmp_path, watch=ear)
        assert "needs 19 dev examples or more; with 9" in ear.notes[-1]
        assert rule.apply(answer(0.7), top_k=1) == answer(0.7) | {
            "scores": {"good": 0.7}, "label_set": ["good", "bad"],
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("kind", "asked", "message"),
        [
            ("labels", {"min_confidence": 0.5}, "gives several labels"),
            ("labels", {"coverage": 0.5}, "gives several labels"),
            ("number", {"target_accuracy": 0.5}, "gives no labels"),
            ("ner", {"coverage": 0.9}, "for classification and nli; this model's task is ner"),
            ("qa", {"coverage": 0.9}, "for classification and nli; this model's task is qa"),
            ("nli", {"coverage": 1.0}, "--coverage is between 0 and 1"),
            ("nli", {"min_confidence": float("nan")}, "--min-confidence is between 0 and 1"),
            ("nli", {"min_confidence": 0.5, "target_accuracy": 0.5}, "--target-accuracy"),
            ("nli", {"coverage": 0.9}, "no predictions on dev"),
            ("qa", {"target_accuracy": 0.9}, "no predictions on dev"),
        ],
    )
    def test_what_does_not_apply_is_refused(
        self, tmp_path: Path, kind: str, asked: dict[str, float], message: str
    ) -> None:
        with pytest.raises(BertftError, match=message):
            Certainty(**asked).rule(task_of(kind), tmp_path, watch=Silent())

    def test_a_damaged_file_is_told(self, tmp_path: Path) -> None:
        for content in ('{"examples": "x"}', '{"examples": 1, "confidence": [0.5]}', "{"):
            (tmp_path / "calibration.json").write_text(content, encoding="utf-8")
            with pytest.raises(RunError, match=r"calibration\.json: not readable"):
                read_dev(tmp_path)

    def test_what_came_of_it(self) -> None:
        rule = Certainty(min_confidence=0.75).rule(task_of("nli"), Path(), watch=Silent())
        rule.task = make_task({"name": "nli"}).bind(["bad", "good"], {})
        rule.allowed = 0.35
        answers = [answer(0.9), answer(0.8), answer(0.7), answer(0.6)]
        golds = [{"gold": "good"}, {"gold": "bad"}, {"gold": "good"}, {"gold": "good"}]
        found = rule.measured(answers, golds)
        assert (found["selective"]["answered"], found["selective"]["share"]) == (2, 0.5)
        assert found["selective"]["accuracy"]["value"] == 0.5
        assert found["coverage"]["measured"]["value"] == 0.5
        assert (found["coverage"]["mean_size"], found["coverage"]["empty"]) == (0.75, 1)


class TestVerbs:
    def test_predict_writes_nothing_where_it_is_uncertain(self, run, command, tmp_path) -> None:
        file = tmp_path / "in.txt"
        file.write_text("\n".join(TEXTS), encoding="utf-8")
        sure = bertft.load(run, device="cpu", precision="fp32").predict(TEXTS)
        least = float(np.median([one["score"] for one in sure]))
        out = tmp_path / "out.csv"
        code, _, err = command("predict", str(file), "--run", str(run), "--out", str(out),
                               "--min-confidence", f"{least}", "--device", "cpu",
                               "--precision", "fp32")  # fmt: skip
        assert code == 0, err
        rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
        low = [one["score"] < least for one in sure]
        assert [row["predicted_label"] == "" for row in rows] == low
        assert [row["withheld"] == "true" for row in rows] == low
        assert f"{sum(low)} of {len(TEXTS)} answers are withheld" in err

    def test_python_says_the_same(self, run: Path) -> None:
        loaded = bertft.load(run, device="cpu", precision="fp32")
        (one,) = loaded.predict(["a"], coverage=0.9, top_k=1)
        assert len(one["scores"]) == 1
        assert set(one["label_set"]) <= set(loaded.task.labels)
        (one,) = loaded.predict(["a"], min_confidence=0.999)
        assert one["label"] is None
        with pytest.raises(BertftError, match="between 0 and 1"):
            loaded.predict(["a"], coverage=2)

    def test_eval_reports_and_keeps_every_prediction(self, run, reviews, tmp_path) -> None:
        out = tmp_path / "scored"
        folder, content = bertft.evaluate(
            run, data=str(reviews["dev"]), out=str(out), coverage=0.9, target_accuracy=0.9,
            device="cpu", precision="fp32",
        )  # fmt: skip
        stored = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        assert stored["coverage"] == content["coverage"]
        assert stored["selective"]["threshold"] == content["selective"]["threshold"]
        lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert all(row["label"] for row in rows)
        covered = [row["gold"] in row["label_set"] for row in rows]
        assert content["coverage"]["measured"]["value"] == pytest.approx(np.mean(covered))

    def test_the_text_format_has_a_line_for_what_is_withheld(self) -> None:
        from bertft.prediction.formats import FORMATS

        lines: list[str] = []
        file: Any = SimpleNamespace(write=lines.append)
        for kind in ("txt", "label-studio", "doccano"):
            with FORMATS[kind](file) as write:
                write(answer(0.7) | {"label": None, "withheld": True})
        assert lines[0] == "-\t0.7000\tt\n"
        assert '"choices": []' in lines[1]
