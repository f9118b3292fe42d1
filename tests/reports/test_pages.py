"""No text of the user's makes an element of any page, or leaves its place: whatever it holds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import POLICY, SCRIPTS, Page, checked

from bertft.reports.context_page import model_name
from bertft.reports.context_page import web_page as context_page
from bertft.reports.entities_page import entities_page
from bertft.reports.examples import look
from bertft.reports.explain_page import open_page
from bertft.reports.page import About, web_page
from bertft.training.history import History
from bertft.watch import Silent

PARTS = [
    "</mark>", "</script>", "<script>alert(1)</script>", "<!--", "-->", "]]>", "<![CDATA[",
    "</title>", "</style>", "<img src=x onerror=a>", '"', "'", "&", "&amp;", "&#60;", "{{ 7*7 }}",
    "{% raw %}", "$\\frac$", "javascript:", "url(http://x)", "\x00", "\x1b[31m",
    "\u202e", "\u2028", "\ud800", "\ufffe", "배", "\n", "\t", "\\", "`",
    "</text>", "<svg onload=a>",
]  # fmt: skip
HOSTILE = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=3)), max_size=6).map(
    lambda parts: "x" + "".join(parts)
)


def report(text: str) -> str:
    spans = [{"start": 0, "end": 1, "label": text, "score": 0.5}]
    rows: list[dict[str, Any]] = [
        {"id": text, "text": text, "label": text, "score": 0.9, "gold": text + "!", "loss": 1.0},
        {"id": text, "question": text, "answer": text, "no_answer": False, "gold": [], "loss": 2.0},
        {"id": text, "text": text, "entities": spans, "gold": [], "loss": 3.0},
    ]
    scores = {
        "split": text, "data": text, "n": 3, "metric": text, "baseline": {text: 0.25},
        "metrics": {text: {"value": 0.5, "low": 0.25, "high": 0.75}},
        "per_class": {text: {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 1.0}},
        "confusion": {text: {text: 1}},
    }  # fmt: skip
    environment = {
        "recipe": text, "model": {"name": text}, "data": {text: {"path": text}}, "labels": [text],
    }  # fmt: skip
    about = About(text, {"name": text}, "[data]\ntrain = 'a'\n", environment, History())
    return web_page(about, scores, look(rows))


def context(text: str) -> str:
    one = {"text": f"in {text} is", "start": 3, "end": 3 + len(text)}
    return context_page(
        {
            "word": text,
            "model": text,
            "sentences": [one, one],
            "layers": [0, 1],
            "similarity": [[[1.0, 0.9], [0.9, 1.0]], [[1.0, 0.5], [0.5, 1.0]]],
        }
    )


def entities(text: str) -> str:
    file = io.StringIO()
    with entities_page(file) as write:
        found = [{"start": 0, "end": len(text), "text": text, "label": text}]
        write({"id": text, "text": f"{text} and more", "entities": found})
    return file.getvalue()


def explained(text: str, path: Any) -> str:
    end = len(text)
    with open_page(str(path), overwrite=True, watch=Silent()) as add:
        add(
            {
                "id": text,
                "parts": {"text": text},
                "answer": {"label": text, "score": 0.5},
                "tokens": [text],
                "places": [["text", 0, end]],
                "attention": np.ones((1, 1, 1, 1)),
                "explanations": [
                    {
                        "target": text,
                        "logit": 1.0,
                        "baseline_logit": 0.0,
                        "error": 0.0,
                        "words": [{"part": "text", "start": 0, "end": end, "attribution": 1.0}],
                        "faithfulness": {"deleted": 1, "top": 0.5, "random": 0.1},
                    }
                ],
            }
        )
    return str(path.read_text(encoding="utf-8"))


PAGES: dict[str, Callable[[str], str]] = {
    "report": report,
    "context": context,
    "entities": entities,
}
SLOW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_makes_no_element(name: str) -> None:
    plain = checked(PAGES[name]("x"), policy=POLICY).shape

    @given(HOSTILE)
    @SLOW
    def check(text: str) -> None:
        page = checked(PAGES[name](text), policy=POLICY)
        assert page.shape == plain
        assert "{{ 7*7 }}" in page.words or "{{ 7*7 }}" not in text
        assert not set("\x00\x1b\u202e\ud800") & set(page.words)

    check()


def test_hostile_text_makes_no_element_of_an_explanation(tmp_path: Any) -> None:
    path = tmp_path / "page.html"
    plain = checked(explained("x", path), policy=SCRIPTS)

    @given(HOSTILE)
    @SLOW
    def check(text: str) -> None:
        page = checked(explained(text, path), policy=SCRIPTS)
        assert page.shape == plain.shape
        assert json.loads(page.scripts[0])["tokens"] == [text]
        assert page.scripts[1:] == plain.scripts[1:]

    check()


def test_a_page_of_entities_has_a_colour_for_each_type() -> None:
    file = io.StringIO()
    with entities_page(file) as write:
        for number, label in enumerate(("PER", "LOC", "PER")):
            found = [{"start": 0, "end": 1, "text": "x", "label": label}]
            write({"id": str(number), "text": "x", "entities": found})
    first, second, third = Page(file.getvalue()).values("mark", "style")
    assert first == third != second


def test_a_model_has_a_short_name(tmp_path: Any) -> None:
    best = tmp_path / "mine" / "best"
    best.mkdir(parents=True)
    names = {
        "minilm": "minilm",
        "owner/name": "owner/name",
        str(best): "mine",
        str(best.parent): "mine",
    }
    assert {name: model_name(name) for name in names} == names
