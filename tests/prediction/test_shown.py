"""What a notebook shows of answers: tables in which data are only text."""

from __future__ import annotations

import pytest
from prediction.test_formats import ANSWERS, NER, NOTHING, SINGLE

from bertft.notebook import ROWS
from bertft.prediction.shown import Answers, OneAnswer

CELLS = {
    "single": ("label", "probability", "good", "0.9877"),
    "several": ("labels", "a 0.9000", "b 0.8000"),
    "nli": ("premise", "hypothesis", "neutral", "0.5000"),
    "number": ("score", "3.1416", "text_pair"),
    "qa": ("answer", "probability", "San\nJose", "0.7500", "question"),
    "ner": ("<mark>Kim <small><b>PER</b></small></mark>", "lives &lt;b&gt;in&lt;/b&gt;"),
}


@pytest.mark.parametrize("task", ANSWERS)
def test_each_task_has_its_columns(task: str) -> None:
    page = Answers.of([ANSWERS[task]])._repr_html_()
    for cell in CELLS[task]:
        assert cell in page
    assert OneAnswer(ANSWERS[task])._repr_html_() == page
    assert page.count("<tr>") == 2


def test_data_are_text() -> None:
    evil = "<script>alert(1)</script>"
    answers = [
        SINGLE | {"text": evil, "label": evil},
        {"id": evil, "error": evil},
        {"id": "1", "text": evil, "entities": [
            {"start": 0, "end": 3, "text": evil[:3], "label": evil, "score": 1.0}]},
    ]  # fmt: skip
    assert "<script" not in Answers.of(answers)._repr_html_()


def test_errors_and_nothing() -> None:
    page = Answers.of([SINGLE, {"id": "7", "error": "the text is empty"}, NOTHING])._repr_html_()
    assert "the text is empty" in page
    assert Answers()._repr_html_() == "<p>no answers</p>"


def test_of_very_many_the_first_are_shown() -> None:
    page = Answers.of([NER] * (ROWS + 5))._repr_html_()
    assert page.count("<tr>") == ROWS + 1
    assert "and 5 more" in page


def test_they_are_lists_and_dictionaries() -> None:
    answers = Answers.of([SINGLE, NER])
    assert answers == [SINGLE, NER]
    assert answers[0] == SINGLE
    assert isinstance(answers[0], OneAnswer)
