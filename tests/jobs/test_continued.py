"""Training goes on with a model that has a head: its rows serve the labels of the same names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from bases import ROWS, request, write
from safetensors.torch import load_file, save_file

from bertft.jobs.build import build_model, make_trainer
from bertft.jobs.dev import dev_scorer
from bertft.jobs.prepare import prepare
from bertft.jobs.request import TrainRequest, read_recipe
from bertft.prediction.predictor import load
from bertft.runs.start import tell_of_head
from bertft.watch import Silent

TASKS = list(ROWS)
NAMED = ["classification", "multi-label", "nli", "ner"]


def rename(rows: Any, names: dict[str, str]) -> Any:
    """Rows with other names of labels, and of entity types behind B- and I-."""
    if isinstance(rows, list):
        return [rename(one, names) for one in rows]
    if isinstance(rows, dict):
        labels = ("label", "ner_tags")
        return {key: rename(one, names) if key in labels else one for key, one in rows.items()}
    text = str(rows)
    part, dash, kind = text.rpartition("-")
    return f"{part}{dash}{names[kind]}" if kind in names else rows


class Heard(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def before_the_first_step(asked: TrainRequest) -> tuple[dict[str, float], str]:
    """Dev scores of the model that training starts from, and what is said of its head."""
    heard = Heard()
    job = prepare(read_recipe(asked), asked, watch=Silent())
    model, head = build_model(job)
    tell_of_head(job, model, watch=heard)
    evaluate = dev_scorer(job, make_trainer(job, model, head))
    assert evaluate is not None
    (said,) = heard.notes
    return {name: value for name, value in evaluate().items() if name != "loss"}, said


def own_scores(run: Path, *, like: dict[str, float]) -> dict[str, float]:
    """The run's own values of some scores; what scores.json holds beside them is left out."""
    found = json.loads((run / "scores.json").read_text(encoding="utf-8"))["metrics"]
    return {name: found[name]["value"] for name in like}


@pytest.mark.parametrize("kind", TASKS)
def test_the_same_labels_start_from_the_scores_of_the_base(
    kind: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    data = write(tmp_path / "data.jsonl", ROWS[kind])
    scores, said = before_the_first_step(request(kind, data, bases[kind], tmp_path / "out"))
    assert scores == pytest.approx(own_scores(bases[kind], like=scores), abs=1e-6)
    assert "its head is kept" in said


@pytest.mark.parametrize("kind", NAMED)
def test_labels_in_another_order_take_their_own_rows(
    kind: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    """The base's head is turned round, and so are its names: the scores stay."""
    other = Path(shutil.copytree(bases[kind], tmp_path / "base"))
    weights = load_file(other / "best" / "model.safetensors")
    config = json.loads((other / "best" / "config.json").read_text(encoding="utf-8"))
    names = list(reversed([config["id2label"][key] for key in sorted(config["id2label"])]))
    config["id2label"] = {str(place): name for place, name in enumerate(names)}
    config["label2id"] = {name: place for place, name in enumerate(names)}
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = weights[name].flip(0).contiguous()
    save_file(weights, other / "best" / "model.safetensors", metadata={"format": "pt"})
    (other / "best" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    data = write(tmp_path / "data.jsonl", ROWS[kind])
    scores, said = before_the_first_step(request(kind, data, other, tmp_path / "out"))
    assert scores == pytest.approx(own_scores(bases[kind], like=scores), abs=1e-6)
    assert "put in order by name" in said


@pytest.mark.parametrize("kind", ["classification", "multi-label", "ner"])
@pytest.mark.parametrize("change", ["renamed", "subset", "superset"])
def test_other_labels_get_a_new_head(
    kind: str, change: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    names = {"good": "five", "bad": "one", "WORK": "THING"}
    rows = rename(ROWS[kind], names) if change == "renamed" else list(ROWS[kind])
    last = {"classification": "fair", "multi-label": "film", "ner": "FOOD"}[kind]
    if change == "subset":
        rows = [row for row in rows if last not in json.dumps(row.get("label", row))]
    if change == "superset":
        rows += rename(ROWS[kind][-1:], {last: "new"})
    data = write(tmp_path / "data.jsonl", rows)
    asked = request(kind, data, bases[kind], tmp_path / "out")
    _, said = before_the_first_step(asked)
    assert "the head is a new one" in said
    assert "its labels are" in said
    job = prepare(read_recipe(asked), asked, watch=Silent())
    model = build_model(job)[0]
    old = load_file(bases[kind] / "best" / "model.safetensors")["classifier.weight"]
    new = model.get_parameter("classifier.weight")
    shared = min(len(old), len(new))
    assert not torch.isclose(old[:shared], new[:shared]).any(dim=1).all()
    # Below the rows everything is as it was learned.
    key = "bert.encoder.layer.1.output.dense.weight"
    assert torch.equal(
        load_file(bases[kind] / "best" / "model.safetensors")[key], model.get_parameter(key)
    )


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("other", TASKS)
def test_another_task_gets_a_new_head(
    kind: str, other: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    if kind == other:
        pytest.skip("the same task")
    data = write(tmp_path / "data.jsonl", ROWS[kind])
    _, said = before_the_first_step(request(kind, data, bases[other], tmp_path / "out"))
    assert "the head is a new one" in said


def test_labels_without_names_count_as_unknown(bases: dict[str, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(bases["classification"] / "best", tmp_path / "foreign"))
    (other / "bertft.json").unlink()
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {str(place): f"LABEL_{place}" for place in range(3)}
    config["label2id"] = {f"LABEL_{place}": place for place in range(3)}
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    data = write(tmp_path / "data.jsonl", ROWS["classification"])
    _, said = before_the_first_step(request("classification", data, other, tmp_path / "out"))
    assert "its labels have no names (LABEL_0, LABEL_1, LABEL_2): the head is a new one" in said


def test_capitals_do_not_make_another_label(bases: dict[str, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(bases["nli"] / "best", tmp_path / "foreign"))
    config = json.loads((other / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {key: name.upper() for key, name in config["id2label"].items()}
    config["label2id"] = {name.upper(): key for name, key in config["label2id"].items()}
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    data = write(tmp_path / "data.jsonl", ROWS["nli"])
    scores, said = before_the_first_step(request("nli", data, other, tmp_path / "out"))
    assert scores == pytest.approx(own_scores(bases["nli"], like=scores), abs=1e-6)
    assert "case aside" in said


@pytest.mark.parametrize("kind", ["classification", "ner"])
def test_features_mode_reads_what_the_kept_head_has_read(
    kind: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    data = write(tmp_path / "data.jsonl", ROWS[kind])
    asked = request(kind, data, bases[kind], tmp_path / "out", "training.mode=features")
    scores, said = before_the_first_step(asked)
    assert scores == pytest.approx(own_scores(bases[kind], like=scores), abs=1e-6)
    assert "its head is kept" in said


def test_an_encoder_without_a_head_is_not_spoken_of(tiny: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.jsonl", ROWS["classification"])
    asked = request("classification", data, tiny, tmp_path / "out")
    heard = Heard()
    job = prepare(read_recipe(asked), asked, watch=Silent())
    tell_of_head(job, build_model(job)[0], watch=heard)
    assert heard.notes == []


def test_a_base_has_learned_something(bases: dict[str, Path]) -> None:
    """Else equal scores would say nothing."""
    for kind, run in bases.items():
        scores = json.loads((run / "scores.json").read_text(encoding="utf-8"))
        value = scores["metrics"][scores["metric"]]["value"]
        assert value > scores["baseline"].get(scores["metric"], 0.5), kind
        assert load(run).task.labels == tuple(load(run).card["labels"])
