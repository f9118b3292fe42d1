"""Answers on a terminal: each in its columns at any width, nothing of the data obeyed."""

from __future__ import annotations

from typing import Any

import pytest
from rich.cells import cell_len

from bertft.console.predictions import MOST, show_predictions
from bertft.prediction.predicted import Predicted

LABEL = {"id": "1", "text": "a good film", "label": "good", "score": 0.98765,
         "scores": {"good": 0.98765, "bad": 0.01235}, "truncated": False}  # fmt: skip
PAIR = {"id": "1", "premise": "it rains", "hypothesis": "it is wet", "label": "entailment",
        "score": 0.5, "scores": {"entailment": 0.5, "contradiction": 0.5}}  # fmt: skip
TAGGED = {"id": "1", "text": "Kim lives in Seoul", "entities": [
    {"start": 0, "end": 3, "text": "Kim", "label": "PER"},
    {"start": 13, "end": 18, "text": "Seoul", "label": "LOC"}]}  # fmt: skip
CONTEXT = "It was cheap. The bridge was built in 1824 by Ann. It stands."
FOUND = {"id": "1", "question": "When?", "answer": "1824", "start": 38, "end": 42, "score": 0.75,
         "no_answer": False}  # fmt: skip


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lines on a terminal of some width, with the marks of its colours or without."""

    def call(*found: Any, width: int = 80, top_k: int | None = None, colours: bool = False) -> Any:
        monkeypatch.setenv("COLUMNS", str(width))
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        if colours:
            monkeypatch.setenv("FORCE_COLOR", "1")
        capsys.readouterr()
        answers = [one if isinstance(one, Predicted) else Predicted(one) for one in found]
        show_predictions(answers, top_k=top_k)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return call


def test_a_heading_then_a_row_each(shown):
    assert shown(LABEL, LABEL | {"label": "bad", "score": 0.5}) == [
        "label  probability  text",
        "good   0.9877       a good film",
        "bad    0.5000       a good film",
    ]


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("answer", [LABEL, PAIR, TAGGED], ids=["label", "pair", "entities"])
def test_long_texts_go_on_in_their_column(shown, answer, width):
    names = [name for name in ("text", "premise", "hypothesis") if name in answer]
    answer = answer | dict.fromkeys(names, "단어 word " * 30) | (
        {"entities": []} if "entities" in answer else {}
    )  # fmt: skip
    lines = shown(answer, width=width)
    assert all(cell_len(line) <= width for line in lines)
    words = [word for line in lines for word in line.split()]
    assert words.count("word") == 30 * len(names)


def test_labels_of_any_length_are_whole(shown):
    long = "card_payment_fee_charged_for_a_transfer_abroad"
    lines = shown(LABEL | {"label": long, "scores": {long: 0.5}}, width=80)
    assert "".join(line[:28].strip() for line in lines[1:]) == long


def test_both_texts_of_a_pair(shown):
    heading, row = shown(PAIR)
    assert heading.split() == ["label", "probability", "premise", "hypothesis"]
    assert row.split("  ")[0] == "entailment"
    assert row.index("it rains") == heading.index("premise")
    assert row.index("it is wet") == heading.index("hypothesis")


def test_what_comes_next_is_named_on_demand(shown):
    assert "bad 0.0123" in "\n".join(shown(LABEL, top_k=2)).replace("0.0124", "0.0123")
    assert "bad" not in "\n".join(shown(LABEL))


def test_several_labels_each_with_its_probability(shown):
    answer = {"id": "1", "text": "x", "labels": ["a", "b"], "scores": {"a": 0.9, "b": 0.8}}
    heading, *rows = shown(answer, answer | {"labels": []})
    assert heading.split() == ["labels", "text"]
    assert [row.split() for row in rows] == [["a", "0.9000", "x"], ["b", "0.8000"], ["-", "x"]]


def test_a_number(shown):
    lines = shown({"id": "1", "text": "x", "value": 3.14159, "truncated": False})
    assert [line.split() for line in lines] == [["score", "text"], ["3.1416", "x"]]


def test_entities_stand_in_their_text_in_a_colour_each(shown):
    assert shown(TAGGED) == ["[Kim](PER) lives in [Seoul](LOC)"]
    (line,) = shown(TAGGED, colours=True)
    first, second = (line.split(name)[0][-8:] for name in ("[Kim]", "[Seoul]"))
    assert first != second
    assert "\x1b[" in first


def test_an_answer_is_lit_up_in_its_sentence(shown):
    found = Predicted(FOUND, context=CONTEXT)
    assert shown(found) == ["When?", "0.7500  The bridge was built in 1824 by Ann."]
    assert "\x1b[1;7m1824\x1b[0m" in shown(found, colours=True)[-1]
    # A question of several passages stands there once.
    assert shown(found, found)[0:2] == shown(found)
    assert len(shown(found, found)) == 3
    nothing = FOUND | {"answer": "", "start": 0, "end": 0, "no_answer": True}
    assert shown(Predicted(nothing, context=CONTEXT))[-1] == "0.7500  no answer"


def test_an_answer_in_a_passage_without_end(shown):
    context = "x" * 3000 + " 1824 " + "y" * 3000
    lines = shown(Predicted(FOUND | {"start": 3001, "end": 3005}, context=context))
    text = "".join(line.strip() for line in lines)
    assert "1824" in text
    assert len(text) < 2 * MOST


def test_errors_stand_in_their_place(shown):
    lines = shown(LABEL, {"id": "7", "error": "the text is empty"}, LABEL)
    assert lines[2] == "7: the text is empty"
    assert len(lines) == 4


def test_files_stand_above_their_answers(shown):
    lines = shown({"file": "a.csv"} | LABEL, {"file": "b.csv"} | LABEL, {"file": "b.csv"} | LABEL)
    assert [line for line in lines if line.endswith(".csv")] == ["a.csv", "b.csv"]


def test_data_are_text_only(shown):
    evil = "\x1b[2J[bold]x[/bold] :smile: \u202e"
    text = "\n".join(shown(LABEL | {"text": evil, "label": evil}))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold] :smile:" in text
