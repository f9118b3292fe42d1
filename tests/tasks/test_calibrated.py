"""Tasks fit their confidence on dev, keep it in a file, and give it up again as evidence."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from bertft.contracts import Encoded
from bertft.evaluation.probabilities import sigmoid
from bertft.recipe import parse_recipe
from bertft.reports.model_card import model_card
from bertft.tasks import make_task
from bertft.tasks.text_rows import TextExample

LABELS = ("calm", "glad", "rare")


def labelled(*, size: int = 400) -> tuple[Any, list[TextExample], list[Any]]:
    """A multi-label task, examples, and pieces whose logits are too low for what holds."""
    generator = np.random.default_rng(0)
    task = make_task({"name": "classification", "multi_label": True}).bind(LABELS, {})
    z = generator.normal(size=(size, 3)) * 2 + [0, 0, -4]
    held = generator.random(z.shape) < sigmoid([2.0, 0.5, 1.0] * z + [1.5, -1.0, 0.0])
    examples = [
        TextExample(str(i), i, "t", None, tuple(np.array(LABELS)[row]))
        for i, row in enumerate(held)
    ]
    pieces = [[(Encoded([1], [0], i), row.astype(np.float32))] for i, row in enumerate(z)]
    return task, examples, pieces


def decoded(task: Any, examples: list[Any], pieces: list[Any]) -> tuple[list[Any], list[Any]]:
    answers = [task.decode(*pair) for pair in zip(examples, pieces, strict=True)]
    golds = [task.gold(*one) for one in zip(examples, answers, pieces, strict=True)]
    return answers, golds


def test_labels_are_calibrated_each_and_a_file_keeps_it() -> None:
    task, examples, pieces = labelled()
    fitted = task.fit(examples, pieces)
    assert len(fitted.scaling) == 3
    again = task.bind(LABELS, json.loads(json.dumps(fitted.learned)))
    assert again == fitted
    before, after = (task.evidence(*decoded(one, examples, pieces)) for one in (task, fitted))
    raw = fitted.evidence(*decoded(fitted, examples, pieces))
    assert raw.logits == pytest.approx(before.logits, abs=1e-6)
    nll = [one.outcomes(()).nll.mean() for one in (before, after)]
    assert nll[1] < nll[0] - 0.05
    assert task.bind(LABELS, {}).scaling == ()  # of a run of before


def test_thresholds_by_label_raise_each_labels_f1_where_it_has_examples() -> None:
    one, examples, pieces = labelled(size=120)
    several = make_task({"name": "classification", "multi_label": True, "thresholds": "by_label"})
    fitted = [task.bind(LABELS, {}).fit(examples, pieces) for task in (one, several)]
    rare = sum("rare" in example.names for example in examples)
    assert 0 < rare < 10
    assert fitted[1].by_label[2] == fitted[1].chosen == fitted[0].chosen
    assert "thresholds" not in fitted[0].learned
    assert several.bind(LABELS, json.loads(json.dumps(fitted[1].learned))) == fitted[1]
    scores = [task.score(examples, decoded(task, examples, pieces)[0]) for task in fitted]
    f1 = [[one.tables["per_class"][name]["f1"] for name in LABELS] for one in scores]
    assert all(own >= shared for shared, own in zip(*f1, strict=True))
    assert sum(f1[1]) > sum(f1[0])
    answers, _ = decoded(fitted[1], examples, pieces)
    for answer in answers:
        pairs = zip(LABELS, fitted[1].by_label, strict=True)
        assert set(answer["labels"]) == {n for n, least in pairs if answer["scores"][n] >= least}


def test_a_threshold_that_is_set_wins_over_those_by_label() -> None:
    settings = {"name": "classification", "multi_label": True, "threshold": 0.3}
    learned = {"threshold": 0.2, "thresholds": [0.1, 0.5, 0.2]}
    assert make_task(settings).bind(LABELS, learned).thresholds.tolist() == [0.3] * 3
    del settings["threshold"]
    assert make_task(settings).bind(LABELS, learned).thresholds.tolist() == [0.1, 0.5, 0.2]
    with pytest.raises(Exception, match="not one for each label"):
        make_task(settings).bind(LABELS, {"thresholds": [0.5]})


@pytest.mark.parametrize("thresholds", ["one", "by_label"])
def test_the_model_card_says_what_gives_the_same_labels(thresholds: str) -> None:
    _, examples, pieces = labelled()
    settings = {"name": "classification", "multi_label": True, "thresholds": thresholds}
    fitted = make_task(settings).bind(LABELS, {}).fit(examples, pieces)
    card = {"task": settings, "labels": list(LABELS),
            "learned": fitted.learned, "max_length": 32, "recipe": "mine", "step": 8,
            "encoder": {"name": "tiny", "revision": ""}, "dev_scores": {"f1": 0.5}}  # fmt: skip
    recipe = parse_recipe({"task": card["task"], "data": {"train": "a.csv"}}, where="test")
    (line,) = re.findall(r"alone, given from: (.*)", model_card(card, recipe))
    thresholds = dict(zip(LABELS, map(float, re.findall(r" (\d\.\d+)", line)), strict=True))
    different = 0
    for example, parts in zip(examples, pieces, strict=True):
        given = {*fitted.decode(example, parts)["labels"]}
        plain = sigmoid(parts[0][1])
        different += given != {n for n, p in zip(LABELS, plain, strict=True) if p >= thresholds[n]}
    assert different <= 1  # the card rounds


def test_scalings_that_do_not_fit_are_refused() -> None:
    task = make_task({"name": "classification", "multi_label": True})
    for learned in ({"scaling": [[1, 0]]}, {"scaling": [[1, 0], [1], [1, 0]]}):
        with pytest.raises(Exception, match="not two figures for each label"):
            task.bind(LABELS, learned)
    with pytest.raises(Exception, match="temperature"):
        make_task({"name": "classification"}).bind(LABELS, {"temperature": 0})


def test_entities_keep_their_places_and_gain_a_confidence() -> None:
    generator = np.random.default_rng(0)
    task = make_task({"name": "ner"}).bind(("O", "B-PER", "I-PER"), {})
    examples, pieces = [], []
    for number in range(200):
        sure = generator.random() * 3
        real = generator.random() < 0.3 + sure / 6
        entities = ({"start": 0, "end": 3, "label": "PER"},) if real else ()
        one = task.regain({"id": "1", "text": "Ann came", "gold": entities})
        offsets = np.array([[0, 0], [0, 3], [4, 8], [0, 0]], dtype=np.int32)
        logits = np.zeros((4, 3), dtype=np.float32)
        logits[1, 1], logits[2, 0] = 2 + sure, 6
        target = [-100, 1 if real else 0, 0, -100]
        examples.append(one)
        pieces.append([(Encoded([1, 2, 3, 4], [0] * 4, number, target, offsets), logits)])
    fitted = task.fit(examples, pieces)
    assert fitted.scaling
    assert task.bind(task.labels, json.loads(json.dumps(fitted.learned))) == fitted
    plain, ours = (decoded(one, examples, pieces)[0] for one in (task, fitted))
    for one, other in zip(plain, ours, strict=True):
        spans = [[(e["start"], e["end"], e["label"]) for e in a["entities"]] for a in (one, other)]
        assert spans[0] == spans[1]
    scores = [e["score"] for a in ours for e in a["entities"]]
    share = np.mean([bool(e.entities) for e in examples])
    assert np.mean(scores) == pytest.approx(share, abs=0.02)
    assert np.mean([e["score"] for a in plain for e in a["entities"]]) > share + 0.2
