"""Pairs of questions and passages: columns, hard negatives, nested files, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bertft.errors import DataError
from bertft.loaders.pairs import Pair, PairColumns, pair_of, read_pairs
from bertft.loaders.source import Source
from bertft.settings import DataSettings

USUAL = PairColumns()


def source(path: Path, **more: Any) -> Source:
    return Source(str(path), data=DataSettings(), **more)


def rows(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = (json.dumps(one, ensure_ascii=False) for one in records)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, columns: PairColumns = USUAL, **more: Any) -> list[Pair]:
    return list(read_pairs(source(path, **more), columns))


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("question", "passage"),
        ("query", "positive"),
        ("anchor", "positive"),
        ("Question", "Answer"),
        ("text", "text_pair"),
        ("질문", "답변"),
        ("질의", "지문"),
    ],
)
def test_columns_by_their_usual_names(tmp_path: Path, question: str, passage: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"{passage},{question}\nit is,is it\n", encoding="utf-8")
    (pair,) = read(path)
    assert (pair.text, pair.pair, pair.line, pair.is_gold) == ("is it", "it is", 2, True)
    assert pair.group == "it is"


def test_columns_that_are_named(tmp_path: Path) -> None:
    path = rows(tmp_path, {"question": "q", "faq": "f", "wrong": "w", "passage": "p"})
    (pair,) = read(path, PairColumns(passage="faq", negative="wrong"))
    assert (pair.pair, pair.negatives) == ("f", ("w",))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"negative": "n"}, ("n",)),
        ({"negatives": ["n", "m", "n"]}, ("n", "m")),
        ({"negative": '["n", "m"]'}, ("n", "m")),
        ({"negative": "[sic] n"}, ("[sic] n",)),
        ({"negative_1": "n", "negative_2": "m"}, ("n", "m")),
        ({"hard_negatives": ["n", None, " "]}, ("n",)),
        ({"negative": None}, ()),
        ({"negative": "p"}, ()),
        ({"negative": "e\u0301"}, ("e\u0301",)),
    ],
)
def test_negatives(tmp_path: Path, given: dict[str, Any], expected: tuple[str, ...]) -> None:
    """A text or several, each once, never the passage itself."""
    path = rows(tmp_path, {"question": "q", "passage": "p", **given})
    assert read(path)[0].negatives == expected
    bare = source(path, gold=False)
    (pair,) = read_pairs(bare, USUAL)
    assert (pair.negatives, pair.is_gold) == ((), False)


def test_where_negatives_are_is_said(tmp_path: Path) -> None:
    one = source(rows(tmp_path, {"question": "q", "passage": "p", "negative": "n"}))
    list(read_pairs(one, USUAL))
    assert one.meter.notes == ["hard negatives are in 'negative'"]
    assert one.meter.roles == {"text_column": "question", "pair_column": "passage"}


def test_a_file_of_squad(tmp_path: Path) -> None:
    """A question's passage is its paragraph; one without an answer is left out, and counted."""
    asked = [
        {"id": "a", "question": "what", "answers": [{"text": "no place", "answer_start": 99}]},
        {"id": "b", "question": "why", "answers": [], "is_impossible": True},
    ]
    paragraphs = [{"context": "first", "qas": asked}, {"context": "second", "qas": asked[:1]}]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    one = source(path)
    found = list(read_pairs(one, USUAL))
    assert [(pair.id, pair.text, pair.pair) for pair in found] == [
        ("a", "what", "first"),
        ("a", "what", "second"),
    ]
    assert dict(one.meter.counts) == {"questions without an answer are left out": 1}
    assert len(read(path, gold=False)) == 3


@pytest.mark.parametrize(
    ("answers", "count"),
    [({"text": ["p"], "answer_start": [0]}, 1), ({"text": [], "answer_start": []}, 0), ([], 0)],
)
def test_rows_of_question_answering(tmp_path: Path, answers: Any, count: int) -> None:
    path = rows(tmp_path, {"question": "q", "context": "p", "answers": answers})
    assert len(read(path)) == count


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "", "passage": "p"}, "rows.jsonl:2: the question is empty"),
        ({"question": "q", "passage": None}, "rows.jsonl:2: there is no passage"),
        ({"question": "q", "passage": 3}, "rows.jsonl:2: the passage is 3, not text"),
        (
            {"question": "q", "passage": "p", "negative": [1]},
            "rows.jsonl:2: a negative (column 'negative') is 1, not text",
        ),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    good = {"question": "q", "passage": "p", "negative": "n"}
    path = rows(tmp_path, good, row, good)
    with pytest.raises(DataError) as caught:
        read(path)
    assert message in str(caught.value)
    faults: list[DataError] = []
    assert len(read(path, bad_row=faults.append)) == 2
    assert len(faults) == 1


def test_columns_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column for the pair"):
        read(rows(tmp_path, {"question": "q", "other": "p"}))
    with pytest.raises(DataError, match="no column 'x' for the negative"):
        read(rows(tmp_path, {"question": "q", "passage": "p"}), PairColumns(negative="x"))


def test_a_single_record() -> None:
    found = pair_of({"query": "q", "passage": "p", "id": 7}, USUAL, id="1")
    assert found == Pair("7", 0, "q", "p", is_gold=False)
