"""Corpora: documents and their sentences, out of text files and tables."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders.documents import Document, read_documents, split_sentences
from bertft.loaders.source import Source
from bertft.settings import DataSettings
from bertft.tasks import make_task


def read(path: Path, **options: str) -> list[Document]:
    task = make_task({"name": "pretraining"} | options)
    return list(task.read(Source(str(path), data=DataSettings())))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. We stay in! Why?", ["It rains.", "We stay in!", "Why?"]),
        ("J. S. Bach wrote it.", ["J. S. Bach wrote it."]),
        ("It is 3.5 km, e.g. by boat.", ["It is 3.5 km, e.g. by boat."]),
        ('She said "No." He left.', ['She said "No."', "He left."]),
        ("비가 온다. 우리는 집에 있다.", ["비가 온다.", "우리는 집에 있다."]),
        ("雨だ。家にいる。", ["雨だ。", "家にいる。"]),
        ("  no stop \n\n  two lines ", ["no stop", "two lines"]),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@given(st.text(alphabet="aB가.!?。」\"' \n", max_size=60))
def test_no_character_is_lost(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_hostile_lines_are_split_in_linear_time() -> None:
    started = time.perf_counter()
    for text in ("." * 10**6, ".'" * 500_000, "a. " * 300_000, "。" * 10**6, "." + " " * 10**6):
        split_sentences(text)
    assert time.perf_counter() - started < 10


def test_blank_lines_part_documents(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    text = "\n\na film\nis good. It is fun.\n\n \nthe food\n\n"
    path.write_text(text, encoding="utf-8")
    expected = [
        Document("3", 3, ("a film", "is good.", "It is fun.")),
        Document("7", 7, ("the food",)),
    ]
    assert read(path) == expected
    packed = tmp_path / "corpus.txt.gz"
    packed.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode("utf-8-sig")))
    assert read(packed) == expected


def test_a_list_of_sentences_is_no_document(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"영화 {n}\n" for n in range(200)), encoding="utf-8")
    found = read(path)
    assert not any(one.whole for one in found)
    assert [text for one in found for text in one.sentences] == [f"영화 {n}" for n in range(200)]
    assert 10 <= len(found) <= 20
    path.write_text("\n \n", encoding="utf-8")
    assert read(path) == []


def test_a_row_of_a_table_is_a_document(tmp_path: Path) -> None:
    table = tmp_path / "articles.csv"
    table.write_text('body,x\n"One. Two.\nThree.",1\n" ",2\nFour,3\n', encoding="utf-8")
    found = read(table, text_column="body")
    assert [one.sentences for one in found] == [("One.", "Two.", "Three."), ("Four",)]
    assert [one.line for one in found] == [2, 5]
    lines = tmp_path / "articles.jsonl"
    lines.write_text(json.dumps({"text": "One.\nTwo.", "id": "a"}) + "\n", encoding="utf-8")
    assert read(lines) == [Document("a", 1, ("One.", "Two."))]
    with pytest.raises(DataError, match="no column 'nosuch' for the text"):
        read(lines, text_column="nosuch")


def test_lines_that_are_no_text_are_refused_by_number(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"good\n\nb\xffd\n")
    with pytest.raises(DataError, match=r"corpus.txt:3: not utf-8 text"):
        list(read_documents(Source(str(path), data=DataSettings())))
