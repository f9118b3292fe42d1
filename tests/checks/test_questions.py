"""Questions whose answers a model cannot learn, or could never give: found, and no others."""

from __future__ import annotations

import pytest
from conftest import tiny_tokenizer

from bertft.checks.finding import Finding, Split
from bertft.loaders.squad import AnswerText, Question
from bertft.tasks import make_task

CONTEXT = "the film was never dull and the food was very good , so we love it"
OPTIONS = {"name": "qa", "window_overlap": 2, "max_question_length": 4, "max_answer_length": 3}


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def ask(*answers: str, question: str = "is it good", line: int = 7) -> Question:
    golds = tuple(AnswerText(text, CONTEXT.index(text)) for text in answers)
    return Question("q1", line, question, CONTEXT, golds)


def findings(tokenizer, *questions: Question) -> dict[str, Finding]:
    task = make_task(OPTIONS)
    split = Split("dev", "a.json", questions, task.readings(questions))
    return {one.code: one for one in task.findings(split, tokenizer, max_length=16)}


def test_a_good_answer_is_no_finding(tokenizer):
    assert findings(tokenizer, ask("very good"), ask("film"), ask()) == {}


@pytest.mark.parametrize(
    ("answer", "code", "shown"),
    [
        ("the film was never", "long-answer", "4 tokens: the film was never"),
        ("the film was never dull and the food was very good", "answer-in-no-window", "the film"),
        ("oo", "answer-inside-token", "'oo', learned as 'food'"),
    ],
)
def test_an_answer_that_cannot_be_learned_or_given(tokenizer, answer, code, shown):
    found = findings(tokenizer, ask("film", line=3), ask(answer))
    assert set(found) == {code}
    assert (found[code].count, found[code].of, found[code].places[0].line) == (1, 2, 7)
    assert found[code].places[0].text.startswith(shown)


def test_a_long_question(tokenizer):
    found = findings(tokenizer, ask("film", question="is it good and is it fun"))
    assert set(found) == {"cut-question"}
    assert found["cut-question"].places[0].text.startswith("3 tokens of: is it good")


def test_without_a_tokenizer_nothing_is_said():
    assert findings(None, ask("oo")) == {}


def test_answers_in_other_words_are_no_conflict():
    task = make_task(OPTIONS)
    readings = task.readings([ask("film"), ask("the film"), ask()])
    assert readings[0] == readings[1]
    assert readings[0].gold != readings[2].gold
    assert [one.labels for one in readings[1:]] == [("answerable",), ("unanswerable",)]
