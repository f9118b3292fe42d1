"""suggest: the texts that teach most, none that has a label or says the same, in every format."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import Ear
from samples import BAD, GOOD

import bertft
from bertft.commands.suggest import suggest
from bertft.errors import BertftError
from bertft.selection.pool import Pool
from bertft.selection.request import SuggestRequest
from bertft.selection.uncertainty import Unsure, uncertainty

NEW = [
    "the plot is slow and they love it",
    "the plot is slow  and THEY love it",
    "the plot is slow and they love it !",
    "never happy with the food",
    "good",
    "awful film but fun",
    "영화 정말 좋다",
    "음식 맛 없다",
    "is it this that",
]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    rows = [["no", "review"], *enumerate([*NEW, GOOD[0], BAD[0]], start=1)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def table(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ask(texts: Path, **settings: Any) -> SuggestRequest:
    return SuggestRequest(files=(str(texts),), device="cpu", precision="fp32", **settings)


def test_the_texts_a_run_is_least_sure_of_come_first(run, texts, tmp_path, ear: Ear):
    out = str(tmp_path / "out.csv")
    assert suggest(ask(texts, run=str(run), count=4, out=out), watch=ear) == 4
    rows = table(out)
    assert list(rows[0]) == [
        "no", "review", "label", "predicted_label", "probability", "uncertainty",
    ]  # fmt: skip
    unsure = [float(row["uncertainty"]) for row in rows]
    assert unsure == sorted(unsure, reverse=True)
    assert {row["label"] for row in rows} == {""}
    answers = bertft.load(run, device="cpu", precision="fp32").predict(
        [row["review"] for row in rows]
    )
    for row, answer in zip(rows, answers, strict=True):
        assert row["predicted_label"] == answer["label"]
        p = list(answer["scores"].values())
        assert float(row["uncertainty"]) == pytest.approx(1 - (p[0] - p[1]), abs=1e-4)


def test_nothing_is_asked_twice(run, texts, tmp_path, ear: Ear):
    """Not what the run learned from, not a copy, not what says nearly the same; all of it said."""
    out = str(tmp_path / "out.csv")
    assert suggest(ask(texts, run=str(run), count=99, out=out), watch=ear) == 7
    found = [row["review"] for row in table(out)]
    assert not {GOOD[0], BAD[0], NEW[1]} & set(found)
    assert len({NEW[0], NEW[2]} & set(found)) == 1
    assert "2 of 11 texts have labels already: left out" in ear.notes
    assert "1 of 11 texts repeat another one: left out" in ear.notes
    assert "1 of 11 texts are nearly the same as one of these: left out" in ear.notes


def test_without_a_run_the_texts_differ(tiny, texts, tmp_path, ear: Ear):
    labelled = tmp_path / "labelled.csv"
    labelled.write_text(f"text,label\n{NEW[3]},bad\n", encoding="utf-8")
    out = str(tmp_path / "out.csv")
    request = ask(texts, model=str(tiny), count=3, out=out, labelled=(str(labelled),))
    assert suggest(request, watch=ear) == 3
    rows = table(out)
    assert list(rows[0]) == ["no", "review", "label"]
    assert NEW[3] not in {row["review"] for row in rows}
    before = Path(out).read_bytes()
    suggest(ask(texts, model=str(tiny), count=3, out=f"{out}2", format="csv",
                labelled=(str(labelled),)), watch=ear)  # fmt: skip
    assert Path(f"{out}2").read_bytes() == before


def test_it_goes_into_annotation_tools_and_comes_back(command, run, texts, tmp_path):
    flags = ("--run", "run", "--count", "3", "--device", "cpu", "--precision", "fp32")
    code, out, err = command("suggest", str(texts), "--format", "doccano", *flags)
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert all(row["label"] in (["good"], ["bad"]) for row in rows)
    code, out, err = command("suggest", str(texts), "--format", "label-studio", *flags)
    assert code == 0, err
    tasks = json.loads(out)
    assert [one["data"]["text"] for one in tasks] == [row["text"] for row in rows]
    assert all(one["predictions"][0]["result"] for one in tasks)
    code, out, err = command("suggest", str(texts), "--count", "3", "--out", "x.xlsx", *flags[:2])
    assert code == 0, err
    code, out, err = command("check", "sentiment", "--train", "x.xlsx", "--on-bad-row", "skip")
    assert "the label is missing" in err + out


def test_texts_without_a_model_have_no_prediction_in_tools(command, tiny, texts):
    flags = ("--model", str(tiny), "--count", "2", "--format")
    _, out, _ = command("suggest", str(texts), *flags, "label-studio")
    assert [one["predictions"] for one in json.loads(out)] == [[], []]
    _, out, _ = command("suggest", str(texts), *flags, "doccano")
    assert [json.loads(line)["label"] for line in out.splitlines()] == [[], []]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--format", "jsonl"), "--format: no format 'jsonl' for texts to label"),
        (("--format", "xlsx"), "xlsx needs a file; add --out to-label.xlsx"),
        (("--run", "nowhere"), "no run directory nowhere"),
        (("--run", "run", "--model", "minilm"), "--run and --model; leave one out"),
        (("--labelled", "gone.csv"), "gone.csv"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(command, run, texts, flags, told):
    code, _, err = command("suggest", str(texts), *flags)
    assert code == 2
    assert told in err


class TestUncertainty:
    def test_entities_are_unsure_where_a_tag_is(self):
        from bertft.contracts import Encoded
        from bertft.tasks import make_task

        task = make_task({"name": "ner"}).bind(["O", "B-X", "I-X"], {})
        offsets = np.array([[0, 1], [2, 3]])
        one = Encoded([1, 2], [0, 0], 0, offsets=offsets)
        sure = [(one, np.array([[9.0, 0, 0], [9.0, 0, 0]]))]
        torn = [(one, np.array([[9.0, 0, 0], [0.5, 0.5, 0]]))]
        assert uncertainty(task, {"entities": []}, sure) < 0.01
        p = 1 / (2 + np.exp(-0.5))
        expected = 1 - np.sqrt(p * 1 / (1 + 2 * np.exp(-9.0)))
        assert uncertainty(task, {"entities": []}, torn) == pytest.approx(expected)

    def test_several_labels_are_unsure_near_their_threshold(self):
        from bertft.tasks import make_task

        task = make_task({"name": "classification", "multi_label": True, "threshold": 0.2})
        task = task.bind(["a", "b"], {})
        at = {"labels": [], "scores": {"a": 0.2, "b": 0.9}}
        away = {"labels": [], "scores": {"a": 0.0, "b": 1.0}}
        half = {"labels": [], "scores": {"a": 0.1, "b": 1.0}}
        assert uncertainty(task, at, []) == pytest.approx(1.0)
        assert uncertainty(task, away, []) == pytest.approx(0.0)
        assert uncertainty(task, half, []) == pytest.approx(0.5)

    def test_a_model_without_labels_is_refused(self, trained):
        predictor = bertft.load(trained, device="cpu", precision="fp32")
        predictor.task = predictor.task.bind([], {})
        with pytest.raises(BertftError, match="leave out --run"):
            Unsure(predictor)


def test_a_pool_keeps_the_most_uncertain_and_little_memory():
    from bertft.prediction.predicted import Predicted

    words = [f"{chr(97 + n % 26) * 5} {n * 7919}" for n in range(300)]
    found = [
        Predicted({"id": str(n), "text": word, "uncertainty": (n * 37 % 300) / 300})
        for n, word in enumerate(words)
    ]
    pool = Pool(10, [], 0)
    kept = pool.fill(iter(found))
    best = sorted(found, key=lambda one: -one.answer["uncertainty"])[:10]
    assert [one.answer["id"] for one in kept] == [one.answer["id"] for one in best]
    assert pool.seen == 300


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--seed", "-1"), "--seed"),
        (("--out", "new.csv"), "new.csv exists already"),
        (("--out", "nowhere/out.csv"), "there is no folder nowhere; make it: mkdir -p nowhere"),
    ],
)
def test_slips_are_told_before_the_work(command, texts, flags, told):
    code, _, err = command("suggest", "new.csv", *flags)
    assert (code, told in err, "no run:" in err) == (2, True, False), err


def test_what_is_unreadable_is_named(command, tiny, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{oops\n', encoding="utf-8")
    code, out, err = command("suggest", "in.jsonl", "--model", str(tiny))
    assert (code, "good" in out) == (0, True), err
    assert "1 row cannot be used: left out; the first is 2: not valid JSON" in err
