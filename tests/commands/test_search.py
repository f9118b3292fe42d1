"""search and ask as a person calls them: what is found, what is said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samples import Command

from bertft.contracts import Answer
from bertft.loaders.squad import Question
from bertft.prediction.passages import read_each
from bertft.prediction.predicted import Predicted


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    film = "we love this film .\n\nthe plot is slow and the food was great .\n"
    (folder / "film.txt").write_text(film, encoding="utf-8")
    faq = "id,question,answer\n7,is the film fun ?,yes it is very fun\n"
    (folder / "faq.csv").write_text(faq, encoding="utf-8")
    return folder


def call(command: Command, tiny: Path, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    code, out, err = command(*arguments, "--json", "--model", str(tiny), "--device", "cpu")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()], err


def test_search_names_places_and_scores(command: Command, tiny: Path, docs: Path) -> None:
    found, err = call(command, tiny, "search", "is the film fun ?", "docs", "--top-k", "2")
    assert list(found[0]) == [
        "rank", "score", "similarity", "words", "file", "line", "id", "question", "text",
    ]  # fmt: skip
    assert [found[0][name] for name in ("rank", "file", "line", "id", "text")] == [
        1, "docs/faq.csv", 2, "7", "yes it is very fun",
    ]  # fmt: skip
    assert len(found) == 2
    assert "2 passages of 2 files: 2 embedded now" in err


def test_search_for_a_person(command: Command, tiny: Path, docs: Path) -> None:
    code, out, _ = command("search", "the food was great", "docs", "--model", str(tiny))
    assert code == 0
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert {line[3:].rpartition("  ")[0] for line in heads} == {
        "docs/film.txt, line 1", "docs/faq.csv, line 2, id 7",
    }  # fmt: skip
    assert "   we love this film . the plot is slow and the food was great ." in out.splitlines()


def test_without_a_question_a_person_is_asked(
    command: Command, tiny: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["the food", "", "zzz"])
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        if (text := next(typed, None)) is None:
            raise EOFError
        return text

    monkeypatch.setattr("builtins.input", answer)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    code, out, _ = command("search", "docs", "--top-k", "1", "--model", str(tiny))
    assert (code, sum("1  docs/" in line for line in out.splitlines())) == (0, 2)
    assert asked == ["search> "] * 4


class TestRerank:
    def test_a_run_of_pairs_decides(
        self, command: Command, tiny: Path, docs: Path, pair_run: Path
    ) -> None:
        asked = ("search", "food", "docs", "--rerank", str(pair_run))
        found, err = call(command, tiny, *asked, "--relevant", "good")
        assert [one["relevance"] for one in found] == sorted(
            (one["relevance"] for one in found), reverse=True
        )
        assert "'good' means that a passage answers" in err
        other, _ = call(command, tiny, *asked, "--relevant", "bad")
        assert [one["file"] for one in other] == [one["file"] for one in reversed(found)]
        code, _, err = command(*asked, "--relevant", "fine", "--model", str(tiny))
        assert (code, "--relevant fine: not a label of the run: bad, good" in err) == (2, True)

    def test_only_pairs_are_reranked(
        self, command: Command, tiny: Path, docs: Path, trained: Path
    ) -> None:
        asked = ("search", "food", "docs", "--model", str(tiny))
        code, _, err = command(*asked, "--rerank", str(trained))
        assert (code, "--rerank needs a run of pairs" in err) == (2, True)
        code, _, err = command(*asked, "--relevant", "good")
        assert (code, "add --rerank RUN" in err) == (2, True)


class TestAsk:
    def test_answers_are_spans_of_passages(
        self, command: Command, tiny: Path, docs: Path, qa_model: Path
    ) -> None:
        asked = ("ask", "is the food good ?", "docs", "--run", str(qa_model))
        found, err = call(command, tiny, *asked)
        assert [one["rank"] for one in found] == [1, 2]
        for one in found:
            assert one["passage"][one["start"] : one["end"]] == one["answer"] != ""
            assert (one["question"], one["no_answer"]) == ("is the food good ?", False)
            assert 0 < one["score"] <= 1
        assert {one["file"] for one in found} == {"docs/film.txt", "docs/faq.csv"}
        assert "always gives one; --min-confidence withholds" in err
        (one,), _ = call(command, tiny, *asked, "--top-k", "1")
        assert one == found[0]

    def test_no_answer_is_said(
        self, command: Command, tiny: Path, docs: Path, qa_model: Path
    ) -> None:
        asked = ("ask", "is it ?", "docs", "--run", str(qa_model), "--min-confidence", "0.9999")
        (one,), _ = call(command, tiny, *asked)
        assert (one["answer"], one["no_answer"], one["score"]) == ("", True, None)
        code, out, _ = command(*asked, "--model", str(tiny))
        assert (code, out.splitlines()[0]) == (0, "no answer found")

    def test_other_runs_answer_no_questions(
        self, command: Command, tiny: Path, docs: Path, trained: Path
    ) -> None:
        code, _, err = command("ask", "what ?", "docs", "--run", str(trained))
        assert (code, "ask needs a run that answers questions" in err) == (2, True)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("docs",), "docs is a file or a folder, and there is no question"),
            (("what ?",), "a question, but no file"),
            ((" ", "docs"), "the question holds no text"),
        ],
    )
    def test_what_is_missing_is_said(
        self, command: Command, docs: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        for verb in ("ask", "search"):
            code, out, err = command(verb, *arguments)
            assert (code, out, said in err) == (2, "", True)


class Reader:
    """Answers with the first word of a passage; its logit is the second, -1 for no answer."""

    def answer(self, examples: list[Question], *, top_k: int | None = None) -> list[Answer]:
        found = []
        for one in examples:
            word, logit = one.context.split()
            span = {"answer": word, "logit": float(logit)}
            none = float(logit) < 0
            found.append({"answer": word, "score": 0.5, "no_answer": none, "answers": [span]})
        return found


def test_passages_are_compared_by_logits_and_share_the_confidence() -> None:
    questions = [Question(str(n), 0, "?", text, None) for n, text in
                 enumerate(["a 1", "b 3", "c -1"])]  # fmt: skip
    reader: Any = Reader()
    found: list[Predicted] = read_each(reader, questions)
    assert [one.answer["answer"] for one in found] == ["b", "a"]
    share = 1 / (1 + 2.718281828**-2)
    assert [one.answer["score"] for one in found] == pytest.approx([share / 2, (1 - share) / 2])
    assert read_each(reader, questions[2:]) == []
