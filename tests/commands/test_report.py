"""report.html: a page that parses, holds every score, and that no data can break out of."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bertft.reports.curves import MOST, Curve, read_history
from bertft.reports.examples import WORST, look
from bertft.reports.page import About, web_page
from bertft.reports.report import read_about

HOSTILE = "</mark><script>alert(1)</script><img src=http://evil/x onerror='a'>\"&\x00\ud800"
VOID = {"meta", "br", "img", "link", "path", "rect", "circle", "polyline"}
EVENTS = [
    {"event": "plan", "parameters": 10, "trainable": 9, "examples": {"train": 8}},
    *(
        {"event": "step", "step": i, "loss": 1 / i, "learning_rate": 0.1, "step_seconds": 1.0}
        for i in range(1, 6)
    ),
    {"event": "scores", "step": 5, "scores": {"m": 0.5, "accuracy": 0.5}},
    {"event": "finish", "best_step": 5},
]


class Page(HTMLParser):
    """Reads a page; every tag must be closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def checked(text: str) -> Page:
    """The page, which loads and runs nothing."""
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {"src", "href", "srcset", "onerror", "onload"} & names
    assert "url(" not in text
    assert "@import" not in text
    assert len(text.encode()) < 500_000
    return page


def made(rows: list[dict[str, Any]], scores: dict[str, Any] | None = None, name: str = "") -> Page:
    """A page of rows of predictions, with one score."""
    content = {"split": "test", "data": "d.csv", "n": len(rows), "metric": "m", "baseline": {}}
    content |= {"metrics": {"m": {"value": 0.5, "low": 0.25, "high": 0.75}}, **(scores or {})}
    environment = {"recipe": name, "data": {"train": {"path": name, "sha256": "ab" * 32}}}
    about = About("run", {"name": "x"}, f"description = {json.dumps(name)}\n" if name else "",
                  environment, read_history(EVENTS))  # fmt: skip
    return checked(web_page(about, content, look(rows)))


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
        assert "1 of 1 answers are not exactly right" in page.words

    @pytest.mark.parametrize("name", ROWS)
    def test_a_large_run_gives_a_small_page(self, name):
        long = {
            key: 'a"' * 10_000 if value == HOSTILE else value for key, value in ROWS[name].items()
        }
        page = made([long] * 100)
        assert page.words.count("loss 1.") + page.words.count("loss 2.") <= WORST
        assert "more are in predictions.jsonl" in page.words

    def test_labels_that_break_tables_stay_in_them(self):
        names = [f"{HOSTILE}{i}" for i in range(300)]
        table = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 1.0}
        scores = {
            "per_class": dict.fromkeys(names, table),
            "confusion": {name: dict.fromkeys(names, 1) for name in names},
        }
        words = made([ROWS["class"]], scores).words
        assert "200 rarer classes are left out" in words
        assert "89,660 rarer confusions are left out" in words


class TestExamples:
    def test_the_worst_are_wrong_and_in_order(self):
        rows = [single("a", "b", loss=i) for i in range(50)] + [single("a", "a", loss=99)]
        seen = look(rows)
        assert (seen.count, seen.wrong) == (51, 50)
        assert [row["loss"] for row in seen.worst] == list(range(49, 49 - WORST, -1))

    def test_calibration(self):
        seen = look([single("a", "a", 0.95), single("a", "b", 0.95), single("a", "a", 1.0)])
        assert (seen.bins[9].count, seen.bins[9].right) == (3, 2)
        assert seen.calibration_error == pytest.approx(abs(2.9 - 2) / 3)

    def test_spans_are_marked_where_they_are(self):
        row = TAGGED | {"text": "x" * 1000 + "in Paris today", "entities": [], "gold": [
            {"start": 1003, "end": 1008, "label": "LOC"},
            {"start": 1004, "end": 1006, "label": "IN"},
        ]}  # fmt: skip
        page = made([row])
        assert "in ParisLOC today and 1 more spans" in page.words
        assert page.words.count("…") >= 2

    def test_questions_without_an_answer(self):
        names = ("exact_match", "f1", "has_answer_exact_match", "has_answer_f1")
        metrics = {name: {"value": 0.25} for name in ("m", *names)}
        metrics["no_answer_accuracy"] = {"value": 0.125}
        none = ASKED | {"answer": "", "no_answer": True}
        page = made([none, ASKED | {"gold": ["x"]}], {"metrics": metrics})
        assert "with an answer10.25000.2500without an answer10.12500.1250" in page.words


class TestCurves:
    @pytest.mark.parametrize("count", [1, 2 * MOST, 10_000])
    def test_points_do_not_grow_with_steps(self, count):
        curve = Curve()
        for step in range(count):
            curve.add(step, float(step))
        assert min(count, MOST) <= len(curve.points) <= 2 * MOST
        assert all(step == value for step, value in curve.points)

    def test_numbers_that_are_none_are_left_out(self):
        curve = Curve()
        curve.add(1, float("nan"))
        assert curve.points == []


class TestRuns:
    def test_the_page_of_a_run(self, trained: Path):
        page = checked((trained / "report.html").read_text(encoding="utf-8"))
        scores = json.loads((trained / "scores.json").read_text(encoding="utf-8"))
        for name, one in scores["metrics"].items():
            floor = f"{scores['baseline'][name]:.4f}"
            row = f"{name}{one['value']:.4f}{one['low']:.4f} to {one['high']:.4f}{floor}"
            assert row in page.words
        for name, one in scores["per_class"].items():
            assert f"{name}{one['precision']:.4f}{one['recall']:.4f}{one['f1']:.4f}" in page.words
        environment = json.loads((trained / "environment.json").read_text(encoding="utf-8"))
        for file in environment["data"].values():
            assert file["sha256"][:12] in page.words
        assert sum(tag == "polyline" for tag, _ in page.tags) == 4  # loss twice, dev, rate
        assert re.search(r"Recipe\s+description = ", page.words)

    def test_of_a_lone_model(self, tmp_path: Path):
        about = read_about(tmp_path, task={"name": "nli"})
        content = {"split": "data", "data": "d", "n": 1, "metric": "m", "baseline": {}}
        text = web_page(about, content | {"metrics": {"m": {"value": 0.5}}}, look([]))
        assert "Learning curve" not in checked(text).words
