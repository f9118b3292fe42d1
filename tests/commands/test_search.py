"""search and ask as a person calls them: what is found, what is said, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from samples import Command

from bertft.contracts import Answer
from bertft.loaders.squad import Question
from bertft.prediction.passages import read_each


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
        assert "scores are no calibrated probabilities: " in err
        assert "does not say which data it was chosen on; --min-confidence withholds" in err
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


WORDS = ("film", "movie", "food", "plot", "yes", "fun", "love", "hate", "happy", "sad", "dull",
         "slow", "good", "bad", "great", "awful", "never", "very", "they", "we")  # fmt: skip


class TestCalibratedAsk:
    """A run whose dev set has passages of one word, so that even a random model may be right."""

    @pytest.fixture
    def run(self, qa_model: Path, tmp_path: Path) -> Path:
        folder = tmp_path / "qa-run"
        shutil.copytree(qa_model, folder / "best")
        rows = [
            {"context": word, "question": f"{ask} {said} ?", "answers": [word]}
            for word, other in zip(WORDS, WORDS[::-1], strict=True)
            for ask, said in (("is it", word), ("was it", word), ("the", other))
        ]
        dev = tmp_path / "dev.jsonl"
        dev.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        recipe = f'[task]\nname = "qa"\n[data]\ntrain = "gone.jsonl"\ndev = "{dev}"\n'
        (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
        return folder

    def test_dev_tells_once_what_scores_are(
        self, command: Command, tiny: Path, docs: Path, run: Path, own_cache: Path
    ) -> None:
        asked = ("ask", "is the food good ?", "docs", "--run", str(run), "--min-confidence", "1e-9")
        first, err = call(command, tiny, *asked)
        assert "calibrating, once: 60 questions of the run's dev set are asked among 20 pass" in err
        said = next(line for line in err.splitlines() if "scores are probabilities: " in line)
        assert "of 60 questions of dev were answered rightly among 20 passages" in said
        scores = [one["score"] for one in first]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < one < 1 for one in scores)
        again, err = call(command, tiny, *asked)
        assert again == first
        assert (said in err, "calibrating" in err) == (True, False)
        (kept,) = own_cache.glob("*.scale")
        kept.write_bytes(kept.read_bytes()[:20])
        again, err = call(command, tiny, *asked)
        assert again == first
        assert "calibrating" in err
        assert kept.name in command("cache", "list")[1]

    def test_it_is_of_this_run_this_encoder_and_this_many_passages(
        self, command: Command, tiny: Path, docs: Path, run: Path, own_cache: Path
    ) -> None:
        asked = ("ask", "is it ?", "docs", "--run", str(run))
        call(command, tiny, *asked)
        call(command, tiny, *asked, "--passages", "3")
        call(command, tiny, *asked, "--prompt", "good ")
        card = run / "best" / "bertft.json"
        card.write_text(card.read_text().replace("24", "23"))
        call(command, tiny, *asked)
        assert len(list(own_cache.glob("*.scale"))) == 4

    def test_a_dev_set_that_is_gone_is_said(
        self, command: Command, tiny: Path, docs: Path, run: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "dev.jsonl").unlink()
        (one, *_), err = call(command, tiny, "ask", "is it ?", "docs", "--run", str(run))
        assert "scores are no calibrated probabilities: the dev set of" in err
        assert one["score"] > 0


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
    found, none = read_each(reader, [questions, questions[2:]])
    assert [(one.given.answer["answer"], one.logit) for one in found] == [("b", 3.0), ("a", 1.0)]
    share = 1 / (1 + 2.718281828**-2)
    assert [one.share for one in found] == pytest.approx([share, 1 - share])
    assert none == []
