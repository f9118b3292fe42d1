"""Teachers: what they say of a text is what is learned; who says the same has no loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bases import ROWS, SETTINGS, request, write
from conftest import tiny_tokenizer
from running import Ear

from bertft.commands.train import train
from bertft.contracts import Encoded
from bertft.errors import BertftError, DataError
from bertft.loaders.reading import read_examples
from bertft.prediction.predictor import load
from bertft.prediction.teachers import Teachers, check_together, open_teachers, teach
from bertft.runs.folder import find_run
from bertft.settings import DataSettings
from bertft.tasks import make_task

KINDS = ("classification", "multi-label", "nli", "ner", "regression", "qa")
LONG = "the film is good and the plot is slow but we love the food and it was very fun"
"""More than a window of 24 tokens holds beside a question."""


def texts(kind: str, folder: Path) -> Path:
    """What the runs learned, without gold."""
    rows = []
    for row in ROWS[kind]:
        given = {name: one for name, one in row.items() if name not in ("label", "answers")}
        rows.append({"text": " ".join(given["tokens"])} if kind == "ner" else given)
    return Path(write(folder / "texts.jsonl", rows))


def taught(runs: Sequence[Path], files: Path, folder: Path) -> tuple[Teachers, Path]:
    """The teachers, and the file of what they say."""
    teachers = open_teachers([find_run(str(one)) for one in runs], device="cpu", precision="fp32")
    out = folder / f"{len(list(folder.iterdir()))}.soft.jsonl"
    teach(teachers, [str(files)], out, watch=Ear())
    return teachers, out


def learned_from(soft: Path, task: Any) -> list[Any]:
    return read_examples(task, str(soft), DataSettings(), watch=Ear())


def loss_of(teachers: Teachers, soft: Path) -> tuple[float, float]:
    """(loss, norm of its gradient) of the first teacher on what was written."""
    teacher = teachers.predictors[0]
    examples = learned_from(soft, teacher.task)
    encoded = teacher.task.encode(examples, teacher.tokenizer, max_length=teacher.max_length)
    engine: Any = teacher.engine
    batch = engine.batcher(encoded, range(len(encoded)), head=engine.head)
    engine.model.zero_grad()
    loss = engine.head.loss(engine.model(**batch.inputs), batch.targets)
    loss = loss / engine.head.count(batch.targets)
    loss.backward()
    squares = [float(one.grad.square().sum()) for one in engine.model.parameters()
               if one.grad is not None]  # fmt: skip
    return float(loss.detach()), sum(squares) ** 0.5


@pytest.mark.parametrize("kind", ["ner", "qa", "regression"])
def test_who_says_the_same_has_no_loss(kind, bases, tmp_path) -> None:
    teachers, soft = taught([bases[kind]], texts(kind, tmp_path), tmp_path)
    loss, gradient = loss_of(teachers, soft)
    assert loss == pytest.approx(0, abs=1e-5)
    assert gradient < 2e-2
    engine: Any = teachers.predictors[0].engine
    engine.own_memory()
    torch.manual_seed(0)
    with torch.no_grad():
        for one in engine.model.parameters():
            one += 0.1 * torch.randn_like(one)
    assert loss_of(teachers, soft)[0] > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_read_as_gold_of_the_task(kind, bases, tmp_path) -> None:
    """And the likeliest answer is the teacher's."""
    teachers, soft = taught([bases[kind]], texts(kind, tmp_path), tmp_path)
    named = [one.removeprefix("task.").split("=") for one in SETTINGS.get(kind, ())]
    options = {key: json.loads(value) for key, value in named}
    name = kind if kind in ("ner", "qa", "nli") else "classification"
    task = make_task({"name": name, **options})
    examples = learned_from(soft, task)
    answers = teachers.predictors[0].answer(examples)
    bound = task.learn_labels(examples, path=str(soft))
    assert set(bound.labels) == set(teachers.task.labels)
    if kind == "multi-label":  # the teacher's threshold is its own
        assert examples[0].gold.p == pytest.approx(answers[0]["scores"], abs=1e-6)
        return
    metric = teachers.task.metric
    assert bound.score(examples, answers).values[metric] == pytest.approx(1, abs=1e-6)


@pytest.fixture(scope="module")
def seconds(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Another run of some tasks, which has learned less."""
    folder = tmp_path_factory.mktemp("seconds")
    found = {}
    for kind in ("classification", "ner", "qa"):
        data = write(folder / f"{kind}.jsonl", ROWS[kind])
        found[kind] = folder / kind
        assert train(request(kind, data, tiny, found[kind], "training.epochs=1")) is not None
    return found


def values(row: dict[str, Any]) -> dict[Any, float]:
    """Every probability of a row by what it is of."""
    if "soft_labels" in row:
        return dict(row["soft_labels"])
    if "soft_tags" in row:
        soft = row["soft_tags"]
        places = zip(soft["start"], soft["p"], strict=True)
        return {
            (at, tag): p for at, row in places for tag, p in zip(soft["tags"], row, strict=True)
        }
    return {(side, at): p for side, places in row["soft_answers"].items() for at, p in places}


@pytest.mark.parametrize("kind", ["classification", "ner", "qa"])
def test_several_say_their_mean(kind, bases, seconds, tmp_path) -> None:
    files = texts(kind, tmp_path)
    paths = [taught(runs, files, tmp_path)[1] for runs in
             ([bases[kind]], [seconds[kind]], [bases[kind], seconds[kind]])]  # fmt: skip
    rows = [[values(json.loads(line)) for line in path.read_text().splitlines()] for path in paths]
    apart = 0.0
    for one, other, mean in zip(*rows, strict=True):
        for key in mean.keys() | one.keys() | other.keys():
            both = (one.get(key, 0), other.get(key, 0))
            assert mean.get(key, 0) == pytest.approx(np.mean(both), abs=2e-6)
            apart = max(apart, abs(both[0] - both[1]))
    assert apart > 0.01


def test_windows_of_a_long_context_are_one_distribution(qa_model, tmp_path) -> None:
    """Each window learns its part, and what is outside of it is no answer there."""
    teachers = Teachers([load(qa_model, device="cpu", precision="fp32")])
    out = tmp_path / "soft.jsonl"
    files = write(tmp_path / "long.jsonl", [{"question": "is it good", "context": LONG}])
    teach(teachers, [files], out, watch=Ear())
    row = json.loads(out.read_text())
    for places in row["soft_answers"].values():
        assert 0.5 < sum(p for _, p in places) <= 1
    teacher = teachers.predictors[0]
    examples = learned_from(out, teacher.task)
    encoded = teacher.task.encode(examples, teacher.tokenizer, max_length=teacher.max_length)
    assert len(encoded) > 1
    for one in encoded:
        assert one.soft is not None
        assert one.soft.sum(axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert mass(encoded, row["soft_answers"]["start"]) < 1e-5
    again = teacher.predict({"question": "is it good", "context": LONG})
    assert row["answers"] == {"text": [again["answer"]], "answer_start": [again["start"]]}


def mass(encoded: Sequence[Encoded], starts: Sequence[tuple[int, float]]) -> float:
    """Largest difference of the windows' starts from those of the file."""
    told = dict(map(tuple, starts))
    off = 0.0
    for one in encoded:
        assert one.offsets is not None
        assert one.soft is not None
        places = one.offsets[one.offsets[:, 1] > one.offsets[:, 0], 0]
        for at, p in zip(places.tolist(), one.soft[1:, 0], strict=True):
            off = max(off, abs(told.get(at, 0.0) - float(p)))
    return off


def test_a_student_with_another_tokenizer_learns_the_same_places(bases, tmp_path) -> None:
    """One that knows no word whole: tags are at first letters, ends of answers at last ones."""
    letters = tiny_tokenizer(words=())
    for kind in ("ner", "qa"):
        teachers, soft = taught([bases[kind]], texts(kind, tmp_path), tmp_path)
        task = teachers.task
        examples = learned_from(soft, task)
        rows = [json.loads(line) for line in soft.read_text().splitlines()]
        encoded = task.encode(examples, letters, max_length=64)
        assert len(encoded) == len(rows)
        for one, row in zip(encoded, rows, strict=True):
            assert one.offsets is not None
            assert one.soft is not None
            places = one.offsets[one.offsets[:, 1] > one.offsets[:, 0]]
            if kind == "ner":
                assert len(one) > 2 * len(places)
                order = [row["soft_tags"]["tags"].index(label) for label in task.labels]
                assert np.allclose(one.soft, np.array(row["soft_tags"]["p"])[:, order], atol=1e-5)
                continue
            for side, name in enumerate(("start", "end")):
                told = dict(map(tuple, row["soft_answers"][name]))
                found = dict(
                    zip(places[:, side].tolist(), one.soft[1:, side].tolist(), strict=True)
                )
                assert {at: p for at, p in found.items() if p} == pytest.approx(told, abs=1e-5)


def test_teachers_of_one_student_answer_the_same(bases, seconds) -> None:
    first = find_run(str(bases["classification"]))
    for other, told in (
        (bases["multi-label"], "has not the task"),
        (bases["ner"], "has not the task"),
        (bases["classification"], "is to teach twice"),
    ):
        with pytest.raises(BertftError, match=told):
            check_together([first, find_run(str(other))])
    check_together([first, find_run(str(seconds["classification"]))])


def test_a_row_without_a_text_is_counted(bases, tmp_path) -> None:
    files = tmp_path / "texts.jsonl"
    files.write_text('{"text": "a film"}\n{"text": null}\n', encoding="utf-8")
    ear, out = Ear(), tmp_path / "out.jsonl"
    teachers = open_teachers([find_run(str(bases["ner"]))], device="cpu", precision="fp32")
    assert teach(teachers, [str(files)], out, watch=ear) == 1
    assert any("1 row cannot be used" in one for one in ear.notes)
    files.write_text('{"text": null}\n', encoding="utf-8")
    with pytest.raises(DataError, match="no text to learn from"):
        teach(teachers, [str(files)], out, watch=ear)


def test_tags_of_a_long_text_go_to_their_windows(bases, tmp_path) -> None:
    long = " ".join(["the films are goodly and slowed"] * 6)  # some words are several pieces
    files = write(tmp_path / "long.jsonl", [{"text": long}])
    teachers, soft = taught([bases["ner"]], Path(files), tmp_path)
    teacher = teachers.predictors[0]
    (row,) = map(json.loads, soft.read_text().splitlines())
    told = dict(zip(row["soft_tags"]["start"], row["soft_tags"]["p"], strict=True))
    assert len(told) == len(long.split())
    examples = learned_from(soft, teacher.task)
    encoded = teacher.task.encode(examples, teacher.tokenizer, max_length=20)
    assert len(encoded) > 2
    for one in encoded:
        assert one.offsets is not None
        assert one.soft is not None
        starts = one.offsets[one.offsets[:, 1] > one.offsets[:, 0], 0].tolist()
        assert np.allclose(one.soft, [told[at] for at in starts], atol=1e-5)
