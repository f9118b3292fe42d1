"""report.html: a page that parses, holds every score, and that no data can break out of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pages import Page, checked

from bertft.reports.content import report_content
from bertft.reports.curves import charts
from bertft.reports.examples import WORST, look
from bertft.reports.page import About, web_page
from bertft.reports.report import read_about
from bertft.training.history import read_history

HOSTILE = "</mark><script>alert(1)</script><img src=http://evil/x onerror='a'>\"&\x00\ud800"
EVENTS = [
    {"event": "plan", "parameters": 10, "trainable": 9, "examples": {"train": 8}},
    *(
        {"event": "step", "step": i, "loss": 1 / i, "learning_rate": 0.1, "step_seconds": 1.0}
        for i in range(1, 6)
    ),
    {"event": "scores", "step": 5, "scores": {"m": 0.5, "accuracy": 0.5}},
    {"event": "finish", "best_step": 5},
]


def made(rows: list[dict[str, Any]], scores: dict[str, Any] | None = None, name: str = "") -> Page:
    """A page of rows of predictions, with one score."""
    content = {"split": "test", "data": "d.csv", "n": len(rows), "metric": "m", "baseline": {}}
    content |= {"metrics": {"m": {"value": 0.5, "low": 0.25, "high": 0.75}}, **(scores or {})}
    environment = {"recipe": name, "data": {"train": {"path": name, "sha256": "ab" * 32}}}
    about = About("run", {"name": "x"}, f"description = {json.dumps(name)}\n" if name else "",
                  environment, read_history(EVENTS))  # fmt: skip
    text = web_page(about, content, look(rows))
    assert len(text.encode()) < 500_000
    return checked(text)


def single(gold: str, label: str, score: float = 0.9, loss: float = 1.0) -> dict[str, Any]:
    return {"id": "1", "text": f"<{gold}>", "label": label, "score": score, "gold": gold,
            "scores": {label: score}, "loss": loss}  # fmt: skip


TAGGED = {
    "id": HOSTILE,
    "text": "in Paris " + HOSTILE,
    "entities": [{"start": 3, "end": 8, "label": "PER" + HOSTILE, "score": 0.5}],
    "gold": [{"start": 3, "end": 8, "label": HOSTILE}],
    "loss": 2.0,
}
ASKED = {
    "id": "q",
    "question": HOSTILE,
    "answer": HOSTILE,
    "no_answer": False,
    "score": 0.5,
    "gold": [],
    "loss": float("inf"),
}
ROWS = {
    "class": single(HOSTILE, "good" + HOSTILE),
    "labels": {
        "id": "1", "text": HOSTILE, "labels": [HOSTILE], "scores": {HOSTILE: 0.9}, "gold": [],
        "loss": 1.0,
    },
    "number": {"id": "1", "text": "a", "text_pair": HOSTILE, "value": 2.0, "gold": 3.0, "loss": 1},
    "entities": TAGGED,
    "question": ASKED,
    "inference": single("neutral", "no") | {"premise": HOSTILE, "hypothesis": "b"},
}  # fmt: skip


class TestAnyTask:
    @pytest.mark.parametrize("name", ROWS)
    def test_hostile_text_stays_text(self, name):
        page = made([ROWS[name]], name=HOSTILE.replace("\ud800", ""))
        assert page.words.count("<script>alert(1)</script>") >= 3
        assert "1 of 1 predictions is not exactly right" in page.words

    @pytest.mark.parametrize("name", ROWS)
    def test_a_large_run_gives_a_small_page(self, name):
        long = {
            key: 'a"' * 10_000 if value == HOSTILE else value for key, value in ROWS[name].items()
        }
        page = made([long] * 100)
        assert page.words.count("loss 1.") + page.words.count("loss 2.") <= WORST
        assert "more in predictions.jsonl" in page.words

    def test_many_classes_are_listed_the_worst_first(self):
        names = [f"{HOSTILE}{i}" for i in range(300)]
        table = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 1.0}
        scores = {
            "per_class": {name: table | {"f1": i / 300} for i, name in enumerate(names)},
            "confusion": {name: dict.fromkeys(names, 1) for name in names},
        }
        page = made([ROWS["class"]], scores)
        assert "200 better classes are left out" in page.words
        assert "89,660 rarer confusions are left out" in page.words
        header = page.rows.index(["class", "precision", "recall", "f1", "support"])
        values = [float(row[3]) for row in page.rows[header + 1 : header + 101]]
        assert values == sorted(values)
        assert values[0] == 0

    def test_a_small_confusion_matrix_is_a_square(self):
        counts = {"a": {"a": 3, "b": 1}, "b": {"a": 0, "b": 2}}
        page = made([ROWS["class"]], {"confusion": counts})
        at = page.rows.index(["gold \\ predicted", "a", "b"])
        assert page.rows[at + 1 : at + 3] == [["a", "3", "1"], ["b", "·", "2"]]


class TestExamples:
    def test_the_worst_are_wrong_and_in_order(self):
        rows = [single("a", "b", loss=i) for i in range(50)] + [single("a", "a", loss=99)]
        seen = look(rows)
        assert (seen.count, seen.wrong) == (51, 50)
        assert [row["loss"] for row in seen.worst] == list(range(49, 49 - WORST, -1))

    def test_calibration(self):
        content = {
            "predictions": 3, "calibration_error": 0.3, "brier": 0.25, "nll": 0.5,
            "by_chance": 0.01, "bins": [[1, 0.5, 1.0], [2, 0.975, 0.5]], "aurc": 0.125,
            "risk_coverage": [[0.5, 0.0], [1.0, 0.25]],
        }  # fmt: skip
        before = {"calibration_error": 0.4, "brier": 0.3, "nll": 0.75, "bins": [[3, 0.9, 0.6]]}
        page = made([single("a", "a")], {"calibration": content | {"before": before}})
        assert ["calibration error", "0.3000", "0.4000"] in page.rows
        assert ["NLL", "0.5000", "0.7500"] in page.rows
        assert ["2", "0.975", "0.500"] in page.rows
        assert "Errors by share answered" in page.words
        assert "grey: before" in page.words
        page = made([single("a", "a")], {"calibration": content})
        assert ["calibration error", "0.3000"] in page.rows
        assert "Calibration was fitted" not in page.words
        assert "Calibration" not in made([single("a", "a")]).words

    def test_spans_are_marked_where_they_are(self):
        row = TAGGED | {"text": "x" * 1000 + "in Paris today", "entities": [], "gold": [
            {"start": 1003, "end": 1008, "label": "LOC"},
            {"start": 1004, "end": 1006, "label": "IN"},
        ]}  # fmt: skip
        page = made([row])
        assert "in ParisLOC today and 1 more span" in page.words
        assert page.words.count("…") >= 2

    def test_questions_without_an_answer(self):
        names = ("exact_match", "f1", "has_answer_exact_match", "has_answer_f1")
        metrics = {name: {"value": 0.25} for name in ("m", *names)}
        metrics["no_answer_accuracy"] = {"value": 0.125}
        none = ASKED | {"answer": "", "no_answer": True}
        page = made([none, ASKED | {"gold": ["x"]}], {"metrics": metrics})
        assert ["with an answer", "1", "0.2500", "0.2500"] in page.rows
        assert ["without an answer", "1", "0.1250", "0.1250"] in page.rows


def many(*, size: int = 400) -> list[dict[str, Any]]:
    """Rows of which those of one source, which says "odd", are mostly wrong."""
    rows = []
    for i in range(size):
        odd = i % 4 == 0
        label = "b" if odd and i % 16 else "a"
        text = f"an odd text {i}" if odd else f"a text {i}"
        rows.append(single("a", label, score=i / size) | {
            "id": str(i), "text": text, "source": "web" if odd else "mail", "truncated": odd,
            "unknown": 0.25 if odd else 0.0,
        })  # fmt: skip
    return rows


class TestWhereItFails:
    def test_json_has_what_the_page_shows(self):
        rows = many()
        content = {"split": "test", "data": "d", "n": len(rows), "metric": "m", "baseline": {},
                   "metrics": {"m": {"value": 0.5}}}  # fmt: skip
        found = report_content("run", {"name": "x"}, content, look(rows), beside=None)
        found = json.loads(json.dumps(found, allow_nan=False))
        page = made(rows)
        assert found["format"] == 1
        assert found["examples"] == {"n": 400, "wrong": 75, "unanswerable": 0}
        shown = {row[0].removesuffix(" (worse)"): row for row in page.rows if len(row) == 6}
        for one in found["slices"]["found"]:
            row = shown[f"{one['kind']}: {one['name']}"]
            assert row[0].endswith("(worse)") == one["worse"]
            assert row[1:3] == [str(one["n"]), f"{one['value']:.3f}"]
            assert row[3] == f"{one['low']:.3f} to {one['high']:.3f}"
            assert row[4] == f"{one['rest']['value']:.3f}"
        worse = {
            f"{one['kind']}: {one['name']}" for one in found["slices"]["found"] if one["worse"]
        }
        assert worse == {"source: web", "[UNK] tokens: over 10%", "truncated: yes"} | {
            name for name in shown if name.startswith("length") and name in worse
        }
        assert f"{found['slices']['looked_at']} slices with 30 examples or more were" in page.words
        words = {one["name"]: one for one in found["words"]["found"]}
        assert words["odd"]["n"] == 100
        assert words["odd"]["value"] == 0.25
        assert "odd (worse)" in {row[0] for row in page.rows}
        assert [one["confidence"] for one in found["errors"]] == sorted(
            (row["score"] for row in rows if row["label"] == "b"), reverse=True
        )[:WORST]
        for one in found["errors"]:
            assert f"{one['id']}, loss 1.0000, confidence {one['confidence']:.4f}" in page.words

    def test_the_surest_mistakes_and_the_largest_errors_of_numbers(self):
        rows = [single("a", "b", score=i / 100, loss=100 - i) for i in range(100)]
        assert [row["sure"] for row in look(rows).worst] == [(99 - i) / 100 for i in range(WORST)]
        assert "Most confident errors" in made(rows).words
        number = {"id": "1", "text": "a", "value": 2.0, "gold": 3.0, "loss": 1.0}
        page = made([number, number | {"value": 9.0, "loss": 36.0}])
        assert "Largest errors" in page.words
        assert page.words.index("loss 36") < page.words.index("loss 1.0")

    def test_kinds_of_mistakes_with_examples(self):
        gold = [{"start": 3, "end": 8, "label": "LOC"}]
        paris = TAGGED | {"text": "in Paris today", "gold": gold}
        wrong = {"start": 3, "end": 8, "label": "PER", "score": 0.5}
        rows = [paris | {"entities": [wrong]}] * 4 + [paris | {"entities": []}] * 2
        page = made(rows)
        assert ["type", "the place is right, the type is not", "4", "67%"] in page.rows
        assert ["missed", "nothing is predicted there", "2", "33%"] in page.rows
        assert ["in Paris today", "Paris (LOC)", "Paris (PER)"] in page.rows
        assert "type: the first 3 of 4" in page.words
        kinds = look(rows).kinds
        assert {name: one.count for name, one in kinds.items() if one.count} == {
            "type": 4, "missed": 2,
        }  # fmt: skip

    def test_many_classes_are_a_picture(self):
        names = [f"{HOSTILE}{i}" for i in range(40)]
        counts = {name: {name: 8, names[(i + 20) % 40]: 2} for i, name in enumerate(names)}
        page = made([ROWS["class"]], {"confusion": counts})
        classes = page.values("rect", "class")
        assert classes.count("right") == 40
        titles = [text for tag, text in page.texts if tag == "title" and " 2" in text]
        assert len(titles) == 40
        found = report_content("r", {}, {"confusion": counts}, look([]), beside=None)
        place = {name: i for i, name in enumerate(found["clustered"])}
        for i, name in enumerate(names):
            assert abs(place[name] - place[names[(i + 20) % 40]]) == 1
        assert "confusion" not in made([ROWS["class"]]).values("svg", "class")


class TestRuns:
    def test_the_page_of_a_run(self, trained: Path):
        page = checked((trained / "report.html").read_text(encoding="utf-8"))
        scores = json.loads((trained / "scores.json").read_text(encoding="utf-8"))
        for name, one in scores["metrics"].items():
            floor = f"{scores['baseline'][name]:.4f}"
            row = [name, f"{one['value']:.4f}", f"{one['low']:.4f} to {one['high']:.4f}", floor]
            assert row in page.rows
        for name, one in scores["per_class"].items():
            row = [name, *(f"{one[column]:.3f}" for column in ("precision", "recall", "f1"))]
            assert row in [found[:4] for found in page.rows]
        environment = json.loads((trained / "environment.json").read_text(encoding="utf-8"))
        for file in environment["data"].values():
            assert file["sha256"][:12] in page.words
        classes = page.values("g", "class")
        assert classes.count("series") == 5  # train and dev loss, dev score, learning rate, risk
        assert "description = " in "".join(text for tag, text in page.texts if tag == "pre")

    def test_scores_come_before_what_was_trained(self, trained: Path):
        page = checked((trained / "report.html").read_text(encoding="utf-8"))
        headings = [text for tag, text in page.texts if tag == "h2"]
        assert headings == [
            "Scores", "Training", "Learning curves", "By class", "Confusion", "Calibration",
            "Most confident errors", "Recipe",
        ]  # fmt: skip

    def test_what_was_kept_is_called_the_best_only_where_it_is(self):
        def steps(kept: int, *values: float) -> str:
            scores = [
                {"event": "scores", "step": i, "scores": {"m": value}}
                for i, value in enumerate(values, start=1)
            ]
            history = read_history([*EVENTS[:6], *scores, {"event": "finish", "best_step": kept}])
            recipe = "[training]\nbatch_size = 16\n"
            about = About("run", {"name": "x"}, recipe, {}, history)
            content = {"split": "dev", "data": "d", "n": 1, "metric": "m", "baseline": {}}
            page = checked(web_page(about, content | {"metrics": {"m": {"value": 1}}}, look([])))
            labels = [text.strip() for tag, text in page.texts if tag == "text"]
            (told,) = [row[1] for row in page.rows if row[0] == "steps"]
            assert told.startswith("5 steps, batch size 16, in 5.0 seconds; kept: the weights of ")
            assert labels.count("kept (best)" if told.endswith("best on dev") else "kept") == 2
            return told.split("weights of ")[1]

        assert steps(2, 0.1, 0.5, 0.2) == "step 2, the best on dev"
        assert steps(5, 0.1, 0.5, 0.2, 0.3, 0.4) == "step 5, the last"
        assert steps(5, 0.1, 0.5, 0.2, 0.3, 0.9) == "step 5, the last, the best on dev"

    def test_loss_on_dev_stands_beside_that_on_train(self):
        events = [*EVENTS, {"event": "scores", "step": 5, "scores": {"loss": 0.25, "m": 0.5}}]
        loss = next(charts(read_history(events), metric="m"))
        assert [one.name for one in loss.series] == ["", "train", "dev"]
        assert loss.series[2].points == [(5, 0.25)]

    def test_of_a_lone_model(self, tmp_path: Path):
        about = read_about(tmp_path, task={"name": "nli"})
        content = {"split": "data", "data": "d", "n": 1, "metric": "m", "baseline": {}}
        text = web_page(about, content | {"metrics": {"m": {"value": 0.5}}}, look([]))
        assert "Learning curve" not in checked(text).words
