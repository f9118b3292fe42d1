"""Misplaced answers are moved where their place is certain; all else in a file stays as it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders.source import Source
from bertft.loaders.squad import AnswerText, read_questions
from bertft.loaders.squad_repair import moved_answers, repair_questions
from bertft.settings import DataSettings

CONTEXT = "서울은 한국의 수도이다. Its river is the Han River."
RIVER = "the Han River"
START = CONTEXT.index(RIVER)
BYTES = len(CONTEXT[:START].encode())
NFD = unicodedata.normalize("NFD", CONTEXT)


def document(*answers: tuple[str, Any], context: str = CONTEXT, **more: Any) -> dict[str, Any]:
    given = [{"answer_start": start, "text": text, "extra": 1} for text, start in answers]
    asked = {"id": "q1", "answers": given, "question": "Which river?", **more}
    paragraphs = [{"qas": [asked], "context": context}]
    return {"version": "1.1", "data": [{"title": "Seoul", "paragraphs": paragraphs}], "z": [1]}


def repaired(path: str, out: Path, **data: Any) -> int:
    return repair_questions(Source(path, DataSettings(**data)), out)


def answers_of(path: Path, **data: Any) -> list[tuple[AnswerText, ...] | None]:
    return [one.answers for one in read_questions(Source(str(path), DataSettings(**data)))]


@pytest.mark.parametrize(("context", "start"), [(CONTEXT, BYTES), (NFD, START), (CONTEXT, 0)])
def test_moved_where_there_is_no_doubt(write, tmp_path, context, start):
    path = write("a.json", json.dumps(document((RIVER, start), context=context)))
    out = tmp_path / "out.json"
    assert repaired(path, out) == 1
    assert answers_of(out) == [(AnswerText(RIVER, context.index(RIVER)),)]


def test_nothing_else_changes(write, tmp_path):
    """Key order, indentation, letters, other answers: byte for byte what json makes of them."""
    before = document((RIVER, BYTES), ("수도", CONTEXT.index("수도")))
    path = write("a.json", json.dumps(before, ensure_ascii=False, indent=4) + "\n")
    out = tmp_path / "out.json"
    assert repaired(path, out) == 1
    after = json.loads(json.dumps(before))
    after["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] = START
    assert out.read_text(encoding="utf-8") == json.dumps(after, ensure_ascii=False, indent=4) + "\n"


@pytest.mark.parametrize(
    ("answers", "context"),
    [((("b", 1),), "a b a b"), ((("Nile", 3),), CONTEXT), (((RIVER, START),), CONTEXT)],
)
def test_nothing_is_written_where_nothing_is_certain_or_amiss(write, tmp_path, answers, context):
    path = write("a.json", json.dumps(document(*answers, context=context)))
    out = tmp_path / "out.json"
    assert repaired(path, out) == 0
    assert not out.exists()


def test_impossible_questions_are_left_alone(write, tmp_path):
    path = write("a.json", json.dumps(document((RIVER, 0), is_impossible=True)))
    assert repaired(path, tmp_path / "out.json") == 0


def test_json_lines_keep_the_lines_without_fault(write, tmp_path):
    row = {"id": "1", "context": CONTEXT, "question": "why?"}
    lines = [
        '{ "id":  "0", "context": "a", "question": "b", "answers": ["a"] }',
        json.dumps({**row, "answers": {"text": [RIVER], "answer_start": [BYTES]}}),
        "not json",
    ]
    out = tmp_path / "out.jsonl"
    assert repaired(write("a.jsonl", "\r\n".join(lines)), out) == 1
    after = out.read_bytes().decode().split("\r\n")
    assert (after[0], after[2]) == (lines[0], lines[2])
    assert json.loads(after[1])["answers"] == {"text": [RIVER], "answer_start": [START]}


def test_tables_and_their_encoding(write, tmp_path):
    text = io.StringIO()
    rows = [["id", "context", "question", "answers"]]
    cell = json.dumps({"text": [RIVER], "answer_start": [BYTES]})
    rows += [["1", CONTEXT, "why, so?", cell], ["2", CONTEXT, "why?", RIVER]]
    csv.writer(text).writerows(rows)
    path = write("a.csv", text.getvalue().encode("cp949"))
    out = tmp_path / "out.csv"
    assert repaired(path, out, encoding="cp949") == 1
    assert answers_of(out, encoding="cp949") == [(AnswerText(RIVER, START),)] * 2
    assert b"\xbc\xad\xbf\xef" in out.read_bytes()  # Seoul in CP949


def test_gzip_stays_gzip(write, tmp_path):
    content = gzip.compress(json.dumps(document((RIVER, 0))).encode())
    out = tmp_path / "out.json.gz"
    assert repaired(write("a.json.gz", content), out) == 1
    assert gzip.decompress(out.read_bytes()).startswith(b'{"version"')


def test_what_cannot_be_written_is_said(write, tmp_path):
    path = write("a.json", json.dumps(document((RIVER, 0))))
    (tmp_path / "out.json").touch()
    with pytest.raises(DataError, match=r"out\.json: exists already; choose another --fix"):
        repaired(path, tmp_path / "out.json")
    with pytest.raises(DataError, match=r"cannot be written \(No such file"):
        repaired(path, tmp_path / "no" / "out.json")
    with pytest.raises(DataError, match="--fix does not write hub"):
        repaired("hub:a/b", tmp_path / "out.json")
    with pytest.raises(DataError, match="a table with a header and quotes"):
        repaired(write("a.tsv", "context\tquestion\tanswers\n"), tmp_path / "b.tsv")


@pytest.mark.parametrize("answers", [None, 7, "text", [7], [None], {}, {"text": 1}, [[]], "[1"])
def test_answers_of_no_known_shape_stay(answers):
    assert moved_answers({"context": CONTEXT, "answers": answers}) == (answers, 0)


@given(st.text(min_size=1), st.text(), st.text(), st.integers(-5, 50))
def test_what_is_moved_is_where_it_is_said_to_be(answer, before, after, start):
    context = before + answer + after
    found, moved = moved_answers(
        {"context": context, "answers": [{"text": answer, "answer_start": start}]}
    )
    place = found[0]["answer_start"]
    assert bool(moved) == (place != start)
    if moved:
        assert context.startswith(answer, place)
        assert not (start >= 0 and context.startswith(answer, start))
