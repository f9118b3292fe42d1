"""One question to many passages: which answers come first, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertft.contracts import Answer
from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.squad import Question
from bertft.prediction.passages import N_BEST, best_answers, passages
from bertft.prediction.predictor import Predictor, load
from bertft.settings import DataSettings

FLAGS = ["--device", "cpu", "--precision", "fp32"]


class Model:
    """Answers each passage with its words, whose logits the passage names: "love 3, food 1"."""

    def answer(self, examples: Sequence[Question], *, top_k: int | None = None) -> list[Answer]:
        return [self._one(example, top_k or 1) for example in examples]

    def _one(self, example: Question, top_k: int) -> Answer:
        pairs = [part.split() for part in example.context.split(",") if part]
        spans: list[Answer] = [
            {"answer": word, "start": 0, "end": len(word), "score": 0.5, "logit": float(logit)}
            for word, logit in pairs
        ]
        best = spans[0] if spans else {"answer": "", "start": 0, "end": 0}
        return {
            "id": example.id,
            "question": example.question,
            **{name: best[name] for name in ("answer", "start", "end")},
            "score": 0.875,
            "no_answer": not spans,
            "answers": spans[:top_k],
            "truncated": False,
        }


def best(*contexts: str, top_k: int | None = None) -> list[Answer]:
    asked = [
        (f"{name}.txt", Question(str(line), line, "who?", context, None))
        for line, (name, context) in enumerate(zip("abcdefgh", contexts, strict=False), start=1)
    ]
    model: Any = Model()
    return [one.answer for one in best_answers(model, asked, top_k=top_k)]


class TestBestAnswers:
    def test_the_best_one_over_all_passages(self):
        (found,) = best("love 3,we 1", "food 5,no 2", "", "plot 4")
        assert list(found) == [
            "file", "id", "question", "answer", "start", "end", "score", "no_answer", "truncated",
        ]  # fmt: skip
        assert (found["file"], found["id"], found["answer"]) == ("b.txt", "2", "food")
        weights = np.exp([5.0, 4, 3, 2, 1])
        assert found["score"] == pytest.approx(weights[0] / weights.sum())

    def test_several_best_first(self):
        found = best("love 3,we 1", "food 5,no 2", "plot 4", top_k=4)
        assert [(one["file"], one["answer"]) for one in found] == [
            ("b.txt", "food"), ("c.txt", "plot"), ("a.txt", "love"), ("b.txt", "no"),
        ]  # fmt: skip
        scores = [one["score"] for one in found]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) < 1
        assert not any("logit" in one or "answers" in one for one in found)
        assert len(best("love 3", "food 5", top_k=9)) == 2

    def test_one_passage_keeps_its_calibrated_confidence(self):
        (found,) = best("love 3,we 1")
        assert (found["answer"], found["score"], found["file"]) == ("love", 0.875, "a.txt")
        assert "answers" not in found
        (found,) = best("love 3,we 1", top_k=1)
        assert found["score"] == pytest.approx(1 / (1 + np.exp(-2)))

    def test_an_answer_anywhere_beats_none(self):
        (found,) = best("", "love 3", "")
        assert (found["answer"], found["no_answer"]) == ("love", False)

    @pytest.mark.parametrize("top_k", [None, 3])
    def test_no_answer_in_any_passage(self, top_k):
        (found,) = best("", "", top_k=top_k)
        assert (found["file"], found["answer"], found["no_answer"]) == ("a.txt", "", True)

    def test_no_passages(self):
        assert best() == []

    def test_memory_holds_the_best_only(self):
        """Passages are not read ahead, and what cannot be among the best is dropped."""
        taken = 0

        def asked():
            nonlocal taken
            for number in range(200):
                taken += 1
                yield "a.txt", Question(str(number), 1, "who?", f"w{number} {number}", None)

        model: Any = Model()
        found = [one.answer for one in best_answers(model, asked(), top_k=2)]
        assert [one["answer"] for one in found] == ["w199", "w198"]
        weights = np.exp(-np.arange(float(N_BEST)))
        assert found[0]["score"] == pytest.approx(1 / weights.sum())
        assert taken == 200


class TestPassages:
    def read(self, path: Path, text: str, *, whole: bool = True) -> list[Question]:
        path.write_text(text, encoding="utf-8")
        source = Source(str(path), data=DataSettings(), gold=False, whole_file=whole)
        return list(passages(source, "who?"))

    def test_a_text_file_is_one_passage(self, tmp_path):
        (found,) = self.read(tmp_path / "a.txt", "we love\n\nfood\n")
        assert found == Question("1", 1, "who?", "we love\n\nfood\n", None)

    def test_each_row_of_a_table_is_one(self, tmp_path):
        rows = [{"id": 7, "passage": "we", "text": "no"}, {"passage": "love"}, {"passage": None}]
        rows += [{"id": None, "passage": "it"}]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        found = self.read(tmp_path / "a.jsonl", text)
        assert [(one.id, one.context) for one in found] == [
            ("7", "we"), ("2", "love"), ("3", ""), ("4", "it"),
        ]  # fmt: skip
        with pytest.raises(DataError, match="no column for the passage"):
            self.read(tmp_path / "a.csv", "body\na\n")


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path: Path) -> list[str]:
        texts = {"a.txt": "we love food\n", "b.txt": "the film was never dull , the plot is slow\n"}
        for name, text in texts.items():
            (tmp_path / name).write_text(text * 3, encoding="utf-8")
        return list(texts)

    def test_answers_are_spans_of_the_files_they_name(self, command, qa_model, files, tmp_path):
        code, out, err = command(
            "predict", *files, "--run", str(qa_model), "--question", "is it good ?", "--top-k", "5",
            *FLAGS,
        )  # fmt: skip
        assert code == 0, err
        found = [json.loads(line) for line in out.splitlines()]
        assert len(found) == 5
        for one in found:
            text = (tmp_path / one["file"]).read_text(encoding="utf-8")
            assert text[one["start"] : one["end"]] == one["answer"] != ""
            assert one["question"] == "is it good ?"
        scores = [one["score"] for one in found]
        assert scores == sorted(scores, reverse=True)

    def test_one_passage_is_answered_as_in_python(self, command, qa_model, files, tmp_path):
        code, out, err = command(
            "predict", files[1], "--run", str(qa_model), "--question", "no ?", *FLAGS
        )
        assert code == 0, err
        (found,) = map(json.loads, out.splitlines())
        text = (tmp_path / files[1]).read_text(encoding="utf-8")
        predictor = load(qa_model, device="cpu", precision="fp32")
        assert isinstance(predictor, Predictor)
        (expected,) = predictor.predict([{"question": "no ?", "context": text}])
        assert found == {"file": files[1], **expected, "score": pytest.approx(expected["score"])}

    def test_other_models_have_no_answer_to_a_question(self, command, run, files):
        code, out, err = command("predict", *files, "--run", "run", "--question", "who?", *FLAGS)
        assert (code, out) == (2, "")
        (line,) = [one for one in err.splitlines() if "question" in one]
        assert "--question needs a qa model; this one's task is classification" in line
        assert "Traceback" not in err
