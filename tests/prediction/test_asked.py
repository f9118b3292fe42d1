"""What is asked on a command line: texts and files in their order, each answer with its own row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertft.console.prompt import converse
from bertft.errors import BertftError
from bertft.loaders.named import is_input
from bertft.loaders.reading import bad_row_rule, input_settings
from bertft.prediction.asked import Asked, predictions, shared_columns
from bertft.prediction.unanswered import Unanswered
from bertft.tasks import make_task
from bertft.watch import Silent

TASKS: dict[str, dict[str, Any]] = {
    "single": {"name": "classification"},
    "nli": {"name": "nli"},
    "pairs": {"name": "classification", "pairs": True, "text_column": "q1", "pair_column": "q2"},
    "qa": {"name": "qa"},
    "ner": {"name": "ner"},
}


class Echo:
    """Answers with what it was given, a window later than it was read."""

    def __init__(self, task: str) -> None:
        self.task: Any = make_task(TASKS[task])
        self.foreign = SimpleNamespace(take=list)

    def stream(
        self, examples: Iterable[Any], *, top_k: int | None = None, rule: Any = None
    ) -> Iterator[Any]:
        for one in list(examples):
            yield one.answer if isinstance(one, Unanswered) else self.answer([one])[0]

    def answer(self, examples: Any, *, top_k: int | None = None) -> list[Any]:
        return [self._of(one) for one in examples]

    def _of(self, one: Any) -> dict[str, Any]:
        if self.task.name == "qa":
            spans = [{"answer": one.context[:2], "start": 0, "end": 2, "logit": 1.0}]
            found = {"id": one.id, "question": one.question, "no_answer": False, "score": 0.5}
            return found | spans[0] | {"answers": spans}
        if self.task.name == "ner":
            return {"id": one.id, "text": one.text, "entities": []}
        keys = self.task.keys if getattr(one, "pair", None) is not None else ("text",)
        texts = dict(zip(keys, one.texts, strict=True))
        return {"id": one.id, **texts, "label": "x", "score": 0.5}


def ask(task: str, *arguments: str, table: bool = False, **fields: Any) -> list[Any]:
    data = input_settings((), on_bad_row=fields.pop("on_bad_row", "")).data
    asked = Asked(arguments=arguments, data=data, bad_row=bad_row_rule(data), **fields)
    if table:
        asked = Asked(arguments=arguments, data=data, bad_row=bad_row_rule(data), **fields,
                      columns=shared_columns(asked))  # fmt: skip
    model: Any = Echo(task)
    return list(predictions(model, asked, watch=Silent()))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(name: str, text: str) -> str:
        Path(name).write_text(text, encoding="utf-8")
        return name

    return call


class TestTexts:
    @pytest.mark.parametrize("text", ["What a film.", "good.film", "좋다", "a.b", "3.5", "...", ""])
    def test_what_is_no_file_is_a_text(self, write, text):
        assert not is_input(text)
        (one,) = ask("single", text)
        assert one.answer.get("text", "") == text
        assert one.row is None

    @pytest.mark.parametrize(
        "name", ["a.txt", "a.CSV", "a.tsv.gz", "a.xlsx", "a.conll", "a.docx", "a.pdf", "-"]
    )
    def test_what_looks_like_a_file_is_one(self, write, name):
        assert is_input(name)

    def test_a_file_of_any_name_and_a_folder(self, write, tmp_path):
        write("notes", "x")
        (tmp_path / "brat").mkdir()
        assert is_input("notes")
        assert is_input("brat")

    def test_they_keep_their_order_among_files(self, write):
        write("a.txt", "one\ntwo\n")
        found = [one.answer for one in ask("single", "zero", "a.txt", "three")]
        assert [one["text"] for one in found] == ["zero", "one", "two", "three"]
        assert [one["id"] for one in found] == ["1", "1", "2", "3"]
        assert ["file" in one for one in found] == [False, True, True, False]

    @pytest.mark.parametrize(
        ("task", "keys"), [("nli", ("premise", "hypothesis")), ("pairs", ("text", "text_pair"))]
    )
    def test_two_are_a_pair(self, task, keys):
        (one,) = ask(task, "it rains", "it is wet")
        assert [one.answer[key] for key in keys] == ["it rains", "it is wet"]
        for wrong in (["a"], ["a", "b", "c"]):
            with pytest.raises(BertftError, match=f"compares two texts, not {len(wrong)}; bertft"):
                ask(task, *wrong)

    def test_a_passage_needs_its_question(self):
        (one,) = ask("qa", "Ann built it.", question="Who?")
        assert (one.answer["question"], one.context) == ("Who?", "Ann built it.")
        assert "file" not in one.answer
        with pytest.raises(BertftError, match=r'predict --question "\.\.\." passage\.txt'):
            ask("qa", "Who?")


class TestRows:
    def test_each_answer_has_its_own(self, write):
        write("a.csv", "n,text\n" + "".join(f"{n},text {n}\n" for n in range(500)))
        for one in ask("single", "a.csv"):
            assert one.row.columns == ("n", "text")
            assert one.row.fields == {"n": one.answer["text"][5:], "text": one.answer["text"]}

    def test_rows_that_cannot_be_used_have_theirs_or_none(self, write):
        write("a.csv", "n,text\n1,a\n2,\n3,b,c\n4,d\n")
        found = ask("single", "a.csv")
        assert [one.row and one.row.fields["n"] for one in found] == ["1", "2", None, "4"]
        assert ["error" in one.answer for one in found] == [False, True, True, False]

    def test_also_where_all_rows_are_on_one_line(self, write):
        rows: list[Any] = [{"n": 1, "text": "a"}, 7, {"n": 2, "text": ""}, {"n": 3, "text": "c"}]
        write("a.json", json.dumps(rows))
        found = ask("single", "a.json")
        assert [one.row and one.row.fields["n"] for one in found] == [1, None, 2, 3]
        found = ask("single", "a.json", on_bad_row="skip", in_place=False)
        assert [one.row.fields["n"] for one in found] == [1, 3]

    def test_plain_text_has_none(self, write):
        write("a.txt", "one\ntwo\n")
        assert [one.row for one in ask("single", "a.txt")] == [None, None]

    def test_what_an_annotation_tool_wrote_has_none(self, write):
        task = {"id": 5, "data": {"text": "a"}, "annotations": []}
        write("a.json", json.dumps([task]))
        (one,) = ask("single", "a.json")
        assert (one.answer["text"], one.row) == ("a", None)

    def test_questions(self, write):
        write("a.csv", "id,context,question\n7,Ann built it.,Who?\n")
        (one,) = ask("qa", "a.csv")
        assert one.row.fields["id"] == "7"
        assert one.context == "Ann built it."

    def test_texts_with_entities_but_not_single_words(self, write):
        write("a.csv", "n,text\n1,Kim flew\n2,Lee ran\n")
        assert [one.row.fields["n"] for one in ask("ner", "a.csv")] == ["1", "2"]
        write("b.csv", "sentence_id,word\n1,Kim\n1,flew\n2,Lee\n")
        found = ask("ner", "b.csv")
        assert [one.answer["text"] for one in found] == ["Kim flew", "Lee"]
        assert [one.row for one in found] == [None, None]

    def test_columns_of_several_tables(self, write):
        write("a.csv", "n,text\n1,a\n")
        write("b.csv", "text,m\nb,2\n")
        found = ask("single", "a.csv", "b.csv", table=True)
        assert {one.row.columns for one in found} == {("n", "text", "m")}


class Told:
    """A console that remembers what it was told."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def note(self, text: str) -> None:
        pass

    def error(self, text: str) -> None:
        self.errors.append(text)


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What was asked for and told in a conversation in which a person types some lines."""

    def call(task: str, *lines: str, end: type[BaseException] = EOFError) -> Any:
        asked: list[str] = []
        typed = iter(lines)

        def ask_for(name: str) -> str:
            asked.append(name)
            try:
                return next(typed)
            except StopIteration:
                raise end from None

        monkeypatch.setattr("builtins.input", ask_for)
        console: Any = Told()
        model: Any = Echo(task)
        converse(model, console)
        return asked, capsys.readouterr().out, console.errors

    return call


class TestPrompt:
    @pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
    def test_it_asks_until_it_is_ended(self, talk, end):
        asked, out, errors = talk("single", "a film", " ", "b film", end=end)
        assert asked == ["text> "] * 4
        assert [line.split()[-2:] for line in out.splitlines()[1:3]] == [
            ["a", "film"], ["b", "film"],
        ]  # fmt: skip
        assert errors == []

    def test_both_texts_of_a_pair(self, talk):
        asked, out, _ = talk("nli", "it rains", "it is wet")
        assert asked == ["premise> ", "hypothesis> ", "premise> "]
        assert "it rains" in out
        assert "it is wet" in out

    def test_a_passage_and_questions_about_it(self, talk, write):
        write("a.txt", "Ann built\nthe bridge.\n")
        lines = ("Bob", "paid.", "", "Who?", "What?", "", "nosuch.txt", "a.txt", "Where?")
        asked, out, errors = talk("qa", *lines)
        assert asked == ["passage> ", "...> ", "...> ", "question> ", "question> ", "question> ",
                         "passage> ", "passage> ", "question> ", "question> "]  # fmt: skip
        assert out.count("Bo") == 2
        assert "Ann built" in out
        assert errors == ["nosuch.txt: no such file; choose one of: a.txt"]

    def test_what_cannot_be_answered_is_told_and_the_talk_goes_on(self, talk):
        _, out, errors = talk("single", "x" * (2**22 + 1), "a film")
        assert len(errors) == 1
        assert "4,194,305 characters" in errors[0]
        assert "a film" in out
