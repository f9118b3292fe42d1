"""Questions in every shape, and every way in which an answer can be misplaced."""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.squad import AnswerText, Question, read_questions
from bertft.settings import DataSettings

CONTEXT = "서울은 한국의 수도이다. Its river is the Han River."
RIVER = AnswerText("the Han River", CONTEXT.index("the Han River"))
CAPITAL = AnswerText("수도", CONTEXT.index("수도"))
NFD = unicodedata.normalize("NFD", CONTEXT)


def qa(**changes: Any) -> dict[str, Any]:
    """One question of a nested file."""
    answers = [{"text": RIVER.text, "answer_start": RIVER.start}]
    return {"id": "q1", "question": "Which river?", "answers": answers} | changes


def nested(*qas: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    paragraphs = [{"context": context, "qas": list(qas)}]
    return {"version": "1.1", "data": [{"title": "Seoul", "paragraphs": paragraphs}], "more": [1]}


def flat(answers: Any, **changes: Any) -> dict[str, Any]:
    row = {"id": "q1", "context": CONTEXT, "question": "Which river?", "answers": answers}
    return row | changes


def questions(path: str, *, gold: bool = True) -> list[Question]:
    return list(read_questions(Source(path, DataSettings(), gold=gold)))


def faults(path: str, *, gold: bool = True) -> tuple[list[Question], list[DataError]]:
    """What is read, and the errors of the rows left out."""
    errors: list[DataError] = []
    source = Source(path, DataSettings(), gold=gold, bad_row=errors.append)
    return list(read_questions(source)), errors


@pytest.fixture
def fault(write):
    """The one error of a file with one nested question."""

    def fault(*, context: str = CONTEXT, **changes: Any) -> str:
        found, errors = faults(write("a.json", json.dumps(nested(qa(**changes), context=context))))
        assert found == []
        assert len(errors) == 1
        assert "\n" not in str(errors[0])
        return str(errors[0])

    return fault


class TestNested:
    def test_squad_1(self, write):
        [question] = questions(write("a.json", json.dumps(nested(qa()))))
        expected = Question("q1", 1, "Which river?", CONTEXT, (RIVER,), "Seoul")
        assert question == expected
        assert CONTEXT[RIVER.start :].startswith(RIVER.text)

    def test_several_answers_in_order_each_once(self, write):
        answers = [{"text": a.text, "answer_start": a.start} for a in (CAPITAL, RIVER, CAPITAL)]
        [question] = questions(write("a.json", json.dumps(nested(qa(answers=answers)))))
        assert question.answers == (CAPITAL, RIVER)

    @pytest.mark.parametrize(
        "changes",
        [
            {"answers": []},
            {"answers": [], "is_impossible": True},
            {"is_impossible": True},
            {"answers": [], "is_impossible": True, "plausible_answers": qa()["answers"]},
        ],
    )
    def test_squad_2_without_answer(self, write, changes):
        [question] = questions(write("a.json", json.dumps(nested(qa(**changes)))))
        assert question.answers == ()

    def test_plausible_answers_are_no_gold(self, fault):
        found = fault(answers=None, plausible_answers=qa()["answers"])
        assert "there are no answers" in found

    def test_klue_mrc(self, write):
        record = qa(guid="klue-mrc-v1_train_00001", question_type=1, is_impossible=False)
        del record["id"]
        [question] = questions(write("a.json", json.dumps(nested(record))))
        assert (question.id, question.answers) == ("klue-mrc-v1_train_00001", (RIVER,))

    def test_gzip_bom_and_encoding(self, write):
        text = json.dumps(nested(qa()), ensure_ascii=False)
        [expected] = questions(write("a.json", text))
        assert questions(write("b.json.gz", gzip.compress(text.encode()))) == [expected]
        assert questions(write("c.json", b"\xef\xbb\xbf \n" + text.encode()))[0].id == "q1"
        source = Source(write("d.json", text.encode("cp949")), DataSettings(encoding="cp949"))
        assert list(read_questions(source)) == [expected]

    @pytest.mark.parametrize("escaped", [False, True])
    def test_lines_are_those_of_the_ids(self, write, escaped):
        document = nested(qa(id="질문"), qa(id="q2"), qa(id=3))
        other = json.loads(json.dumps(document).replace("q2", "q4"))["data"][0]
        other["paragraphs"][0]["qas"] = [qa(id="q5"), qa(id="q6")]
        document["data"].append(other)
        text = json.dumps(document, indent=1, ensure_ascii=escaped)
        found = questions(write("a.json", text))
        lines = text.split("\n")
        assert [question.id for question in found] == ["질문", "q2", "3", "q5", "q6"]
        for question, shown in zip(found, ["질문", "q2", 3, "q5", "q6"], strict=True):
            value = json.dumps(shown, ensure_ascii=escaped)
            assert f'"id": {value}' in lines[question.line - 1]

    def test_contexts_of_a_paragraph_are_one_text(self, write):
        first, second = questions(write("a.json", json.dumps(nested(qa(), qa(id="q2")))))
        assert first.context is second.context

    def test_progress(self, write):
        source = Source(write("a.json", json.dumps(nested(qa()))), DataSettings())
        list(read_questions(source))
        assert source.meter.fraction() == 1.0

    def test_stdin(self, stdin):
        stdin(json.dumps(nested(qa())).encode())
        [question] = read_questions(Source("-", DataSettings(), format="json"))
        assert question.answers == (RIVER,)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{}", "no list 'data'"),
            ('{"data": {"a": 1}}', "no list 'data'"),
            ('{"context": "a", "question": "b"}', "no list 'data'"),
            ('{"data": []} x', "more text after the end"),
            ('{"a": 1}\n{"a": 2}', r"a.json:2: not valid JSON: more text.*suffix \.jsonl"),
            ('{"data": [\n{"paragraphs": [],}]}', "a.json:2: not valid JSON"),
            ('{"data": [{"paragraphs": []},]}', "a ',' stands before ']'"),
            ('{"data": [{"paragraphs": []} {}]}', "',' is expected"),
            ('{"data": [{"paragraphs": []}]', "',' is expected"),
            ('{"data": [', "not valid JSON"),
            ('{"data" 1}', "':' is expected"),
            ('{"data": [' + "[" * 100_000, "nested too deeply"),
            ('{"data": [' + "1" * 5000 + "]}", "a number is too long"),
        ],
    )
    def test_not_a_question_file(self, write, text, expected):
        with pytest.raises(DataError, match=expected) as caught:
            questions(write("a.json", text))
        assert "\n" not in str(caught.value)

    def test_wrong_shapes_are_skipped_one_by_one(self, write):
        good = nested(qa())["data"][0]
        bad = [7, {"title": "a"}, {"paragraphs": [{"context": "a"}, {"qas": ["a"]}]}]
        found, errors = faults(write("a.json", json.dumps({"data": [*bad, good]})))
        assert [question.id for question in found] == ["q1"]
        places = ["data[0]", "data[1]", "paragraphs[0]", "paragraphs[1].qas[0]"]
        assert len(errors) == len(places)
        assert all(place in str(error) for place, error in zip(places, errors, strict=True))

    def test_no_data_is_no_question(self, write):
        assert questions(write("a.json", '{"data": []}')) == []

    def test_half_a_surrogate_pair(self, write):
        text = json.dumps(nested(qa(), qa(id="q2"))).replace("Which", "\\ud83d", 1)
        found, errors = faults(write("a.json", text))
        assert [question.id for question in found] == ["q2"]
        assert "surrogate" in str(errors[0])


class TestFlat:
    SHAPES = (
        {"text": [RIVER.text], "answer_start": [RIVER.start]},
        [{"text": RIVER.text, "answer_start": RIVER.start}],
        {"text": RIVER.text, "answer_start": RIVER.start},
        [{"text": RIVER.text}],
        [RIVER.text],
        RIVER.text,
    )

    @pytest.mark.parametrize("shape", SHAPES)
    def test_shapes_of_answers(self, write, shape):
        expected = Question("q1", 1, "Which river?", CONTEXT, (RIVER,))
        line = json.dumps(flat(shape))
        assert questions(write("a.jsonl", line)) == [expected]
        assert questions(write("a.json", f"[{line}]")) == [expected]
        assert questions(write("a.jsonl.gz", gzip.compress(line.encode()))) == [expected]

    @pytest.mark.parametrize("shape", [[], {"text": [], "answer_start": []}, "", " "])
    def test_no_answer(self, write, shape):
        [question] = questions(write("a.jsonl", json.dumps(flat(shape))))
        assert question.answers == ()

    def test_the_hubs_klue_mrc_has_plausible_answers_in_answers(self, write):
        row = flat(self.SHAPES[0], is_impossible=True, guid="g1")
        del row["id"]
        [question] = questions(write("a.jsonl", json.dumps(row)))
        assert (question.id, question.answers) == ("g1", ())

    def test_parquet(self, tmp_path):
        rows = [flat(self.SHAPES[0]), flat(self.SHAPES[0] | {"text": ["x"]}, id="q2")]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
        found, errors = faults(str(tmp_path / "a.parquet"))
        assert [(one.id, one.line, one.answers) for one in found] == [("q1", 1, (RIVER,))]
        assert ".parquet:2: the answer 'x' is not at character" in str(errors[0])

    def test_csv(self, write):
        cells = [json.dumps(self.SHAPES[0]), "[brackets] are text", "", "no"]
        rows = [
            (CONTEXT, cells[0], "False"),
            ("Here [brackets] are text.", cells[1], "False"),
            (CONTEXT, cells[2], ""),
            (CONTEXT, RIVER.text, "True"),
        ]
        text = io.StringIO()
        text.write("context,question,answers,is_impossible\n")
        for row in rows:
            context, answers, impossible = (json.dumps(cell, ensure_ascii=False) for cell in row)
            quoted = answers.replace('\\"', '""')
            text.write(f"{context},why?,{quoted},{impossible}\n")
        found = questions(write("a.csv", text.getvalue()))
        answers = (RIVER,), (AnswerText("[brackets] are text", 5),), (), ()
        assert [question.answers for question in found] == list(answers)
        assert [question.id for question in found] == ["2", "3", "4", "5"]

    def test_python_text_is_not_json(self, write):
        path = write("a.tsv", f"context\tquestion\tanswers\n{CONTEXT}\twhy?\t{{'text': ['a']}}\n")
        with pytest.raises(DataError, match=r"a\.tsv:2: answers: not valid JSON: .*json\.dumps"):
            questions(path)

    def test_repeated_contexts_are_one_text(self, write):
        rows = [json.dumps(flat("수도", id=str(number))) for number in range(3)]
        found = questions(write("a.jsonl", "\n".join(rows)))
        assert [question.context is found[0].context for question in found] == [True] * 3

    def test_columns_by_what_they_are_called(self, write):
        path = write("a.csv", f"지문,질문,정답\n{CONTEXT},뭐?,{CONTEXT[:2]}\n")
        source = Source(path, DataSettings())
        (one,) = read_questions(source)
        assert (one.context, one.question, one.answers[0].text) == (CONTEXT, "뭐?", CONTEXT[:2])
        assert "'지문' is the context, '질문' is the question" in source.meter.notes[0]

    def test_missing_columns(self, write):
        path = write("a.csv", "page,question\na,b\n")
        with pytest.raises(DataError, match="no column 'context'; columns here: page, question"):
            questions(path)
        path = write("b.csv", "context,question\na,b\n")
        with pytest.raises(DataError, match="no column 'answers'"):
            questions(path)
        assert questions(path, gold=False)[0].answers is None

    @pytest.mark.parametrize("shape", ["수도", ["수도"]])
    def test_a_text_without_start_must_occur_once(self, write, shape):
        for context, times in (("없다", 0), ("수도와 수도", 2)):
            path = write("a.jsonl", json.dumps(flat(shape, context=context)))
            with pytest.raises(DataError, match=f"'수도' occurs {times} times in the context"):
                questions(path)

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ({"text": ["a", "b"], "answer_start": [0]}, "as many texts as starts"),
            ({"text": "a", "answer_start": [0]}, "as many texts as starts"),
            ({"answer_start": [0]}, "as many texts as starts"),
            ({}, "as many texts as starts"),
            (7, "a list is expected, not 7"),
            (None, "there are no answers"),
            ([7], "an answer is not text"),
            ([""], "an answer is empty"),
            ([{"answer_start": 3}], "an answer is empty"),
            (
                [{"text": "수도", "answer_start": "8th"}],
                "answer_start of the answer '수도' is 8th, not",
            ),
            ([{"text": "수도", "answer_start": 8.5}], "is 8.5, not a whole number"),
            ([{"text": "수도", "answer_start": True}], "is true or false, not a whole number"),
        ],
    )
    def test_unusable_answers(self, write, shape, expected):
        with pytest.raises(DataError, match=expected):
            questions(write("a.jsonl", json.dumps(flat(shape))))


class TestMisplaced:
    @staticmethod
    def at(start: int, text: str = RIVER.text) -> list[dict[str, Any]]:
        return [{"text": text, "answer_start": start}]

    @pytest.mark.parametrize(
        ("shift", "side"), [(1, "1 characters earlier"), (-3, "3 characters later")]
    )
    def test_off_by_some_characters(self, fault, shift, side):
        found = fault(answers=self.at(RIVER.start + shift))
        assert f"a.json:1: data[0].paragraphs[0].qas[0]: the answer '{RIVER.text}'" in found
        assert f"is found {side}, at {RIVER.start}" in found

    def test_the_nearest_of_several_places_is_named(self, fault):
        found = fault(context="a b a b a", answers=self.at(3, "a"))
        assert "1 characters" in found

    def test_bytes(self, fault):
        start = len(CONTEXT[: RIVER.start].encode())
        assert f"counts UTF-8 bytes: in characters it is {RIVER.start}" in fault(
            answers=self.at(start)
        )

    def test_utf_16(self, fault):
        context = "\U0001f600\U0001f600 here"
        found = fault(context=context, answers=self.at(5, "here"))
        assert "counts UTF-16 units: in characters it is 3" in found

    def test_offsets_over_composed_text(self, fault):
        found = fault(context=NFD, answers=self.at(RIVER.start))
        assert f"(Unicode NFC): in characters it is {NFD.index(RIVER.text)}" in found

    def test_answer_composed_otherwise(self, fault):
        assert "composed differently" in fault(context=NFD, answers=self.at(CAPITAL.start, "수도"))

    def test_other_capitals(self, fault):
        assert "other capitals" in fault(answers=self.at(RIVER.start, "The  Han river"))

    @pytest.mark.parametrize("start", [-1, 0, 3, 10**9])
    def test_not_in_the_context(self, fault, start):
        assert "does not occur in the context" in fault(answers=self.at(start, "Nile"))

    def test_negative_starts_do_not_count_from_the_end(self, fault):
        context = "a river"
        assert "is not at character -5" in fault(context=context, answers=self.at(-5, "river"))


class TestQuestions:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"question": ""}, "the question is empty"),
            ({"question": " \t"}, "the question is empty"),
            ({"question": None}, "there is no question"),
            ({"question": ["a"]}, "the question is a list, not text"),
            ({"context": ""}, "the context is empty"),
            ({"id": ["a"]}, "the id is a list, not text"),
        ],
    )
    @pytest.mark.parametrize("gold", [True, False])
    def test_empty_or_no_text(self, write, changes, expected, gold):
        rows = [flat([], id="q0"), flat([]) | changes]
        found, errors = faults(write("a.jsonl", "\n".join(map(json.dumps, rows))), gold=gold)
        assert [question.id for question in found] == ["q0"]
        assert [str(error).split("; fix it")[0] for error in errors] == [
            f"{errors[0].path}:2: {expected}"
        ]

    def test_an_id_is_given_once(self, write):
        rows = [flat([]), flat([], question="And this?"), flat([], id="q2")]
        found, errors = faults(write("a.jsonl", "\n".join(map(json.dumps, rows))))
        assert [(question.id, question.line) for question in found] == [("q1", 1), ("q2", 3)]
        assert ".jsonl:2: the id 'q1' is that of line 1 already" in str(errors[0])

    def test_without_ids_the_line_serves(self, write):
        rows = [{"context": "a", "question": "b"}] * 2
        found = questions(write("a.jsonl", "\n".join(map(json.dumps, rows))), gold=False)
        assert [question.id for question in found] == ["1", "2"]

    def test_without_gold_answers_are_not_read(self, write):
        answers = [{"text": "wrong", "answer_start": "wrong"}]
        [question] = questions(write("a.json", json.dumps(nested(qa(answers=answers)))), gold=False)
        assert question.answers is None

    def test_spaces_of_texts_stay(self, write):
        row = flat([{"text": " b", "answer_start": 1}], context="a b ", question=" c ")
        [question] = questions(write("a.jsonl", json.dumps(row)))
        assert (question.context, question.question) == ("a b ", " c ")
        assert question.answers == (AnswerText(" b", 1),)

    def test_plain_text_is_refused(self, write):
        with pytest.raises(DataError, match="not a table in a supported format"):
            questions(write("a.txt", "a"))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "count", "contexts"),
    [("dev-v1.1.json", 10_570, 2_067), ("train-v1.1-subset.json", 11_877, 2_429)],
)
def test_squad_is_read_whole(shared: Path, name: str, count: int, contexts: int) -> None:
    found = questions(str(shared / "data" / "squad" / name))
    assert len({question.id for question in found}) == len(found) == count
    assert len({question.context for question in found}) == contexts
    assert all(question.answers for question in found)
    for question in found:
        for answer in question.answers or ():
            end = answer.start + len(answer.text)
            assert question.context[answer.start : end] == answer.text


class TestShapes:
    """What other programs and data sets write, read where there is no doubt."""

    CONTEXT = "Seoul is the capital. It lies on the Han River.\r\nBusan is the second city."

    @pytest.mark.parametrize("start", [37, "37", " 37 ", 37.0, "37.0", None])
    def test_whole_numbers(self, tmp_path, start):
        answers = [{"text": "Han River", "answer_start": start}]
        (one,) = self.read(tmp_path, "a.jsonl", answers=answers)
        assert one.answers == (AnswerText("Han River", 37),)

    @pytest.mark.parametrize("start", ["37th", 37.5, True, "", [37], "1e3", "--5"])
    def test_what_is_none(self, tmp_path, start):
        with pytest.raises(DataError, match="not a whole number"):
            self.read(tmp_path, "a.jsonl", answers=[{"text": "Han River", "answer_start": start}])

    @pytest.mark.parametrize(
        "fields",
        [
            {"answer_text": "Han River", "answer_start": 37},
            {"answer_text": "Han River"},
            {"answer": "Han River", "answer_start": "37"},
            {"answer": {"text": "Han River", "answer_start": 37}},
            {"answer": {"text": ["Han River"], "answer_start": ["37"]}},
        ],
    )
    def test_one_answer_in_columns_of_its_own(self, tmp_path, fields):
        (one,) = self.read(tmp_path, "a.jsonl", **fields)
        assert one.answers == (AnswerText("Han River", 37),)

    def test_it_is_said(self, tmp_path):
        path = tmp_path / "a.csv"
        text = "context,question,answer_text,answer_start\nIt is so.,what?,so,6\nNo.,why?,,\n"
        path.write_text(text, encoding="utf-8")
        source = Source(str(path), data=DataSettings())
        found = [one.answers for one in read_questions(source)]
        assert found == [(AnswerText("so", 6),), ()]
        told = "questions have their answer in 'answer_text' and 'answer_start'"
        assert source.meter.repaired == {told: 2}

    @pytest.mark.parametrize("indent", [None, 2])
    def test_korquad_2(self, tmp_path, indent):
        """The page is the context, of which each question has one answer."""
        answer = {"text": "Han River", "html_answer_text": "Han River", "answer_start": 37,
                  "html_answer_start": 3}  # fmt: skip
        asked = [{"id": f"{n}", "question": "What river?", "answer": answer} for n in (1, 2)]
        page = {"title": "t", "url": "u", "context": self.CONTEXT, "raw_html": "<p>", "qas": asked}
        (tmp_path / "a.json").write_text(json.dumps({"data": [page]}, indent=indent))
        found = list(read_questions(Source(str(tmp_path / "a.json"), data=DataSettings())))
        assert [(one.id, one.answers) for one in found] == [
            ("1", (AnswerText("Han River", 37),)),
            ("2", (AnswerText("Han River", 37),)),
        ]

    def test_records_below_data(self, tmp_path):
        rows = [{"id": "a", "context": "It is so.", "question": "what?",
                 "answers": {"text": ["so"], "answer_start": [6]}}]  # fmt: skip
        (tmp_path / "a.json").write_text(json.dumps({"version": "1", "data": rows}))
        (one,) = read_questions(Source(str(tmp_path / "a.json"), data=DataSettings()))
        assert (one.id, one.answers) == ("a", (AnswerText("so", 6),))

    def test_newsqa_is_refused_with_what_to_write(self, tmp_path):
        story = {"storyId": "s", "text": "It is so.", "questions": [{"q": "what?"}]}
        (tmp_path / "a.json").write_text(json.dumps({"data": [story]}))
        with pytest.raises(DataError, match=r"NewsQA's: write .*answer_start"):
            list(read_questions(Source(str(tmp_path / "a.json"), data=DataSettings())))

    def test_entities_of_html_in_the_passage(self, tmp_path):
        answers = [{"text": "M&A", "answer_start": 11}]
        with pytest.raises(DataError, match=r"holds HTML entities .* write them as characters"):
            self.read(tmp_path, "a.jsonl", context="He led the M&amp;A team.", answers=answers)

    def read(self, folder, name, **fields):
        row = {"question": "What river?", "context": self.CONTEXT, **fields}
        (folder / name).write_text(json.dumps(row) + "\n", encoding="utf-8")
        return list(read_questions(Source(str(folder / name), data=DataSettings())))
