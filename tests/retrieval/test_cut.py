"""Passages: nothing of a text is lost, none is too wide, each knows where it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.errors import DataError
from bertft.loaders.blocks import Block, width_of
from bertft.loaders.source import Source
from bertft.retrieval.passages import WIDEST, Passage, PassageColumns, cut, read_passages
from bertft.settings import DataSettings

WORD = st.text(st.sampled_from("ab가나.!? \n"), min_size=1, max_size=700)


def letters(text: str) -> str:
    return "".join(text.split())


@given(st.lists(st.tuples(WORD, st.integers(1, 3)), max_size=8))
def test_nothing_is_lost_and_nothing_too_wide(parts: list[tuple[str, int]]) -> None:
    blocks = [Block(text, "page", page) for text, page in parts]
    found = list(cut(blocks))
    assert letters("".join(one.text for one in found)) == letters("".join(t for t, _ in parts))
    assert all(0 < width_of(one.text) <= WIDEST for one in found)


def test_headings_go_with_what_follows_and_paragraphs_stand_alone() -> None:
    long = "A sentence of some length stands here, so that it is no heading at all, is it. "
    blocks = [Block("# One", "line", 1), Block(long, "line", 3), Block(long * 2, "line", 5)]
    first, second = cut(blocks)
    assert (first.text, first.number) == (f"# One\n{long.strip()}", 1)
    assert (second.text, second.number) == ((long * 2).strip(), 5)


def test_a_long_paragraph_is_cut_behind_sentences() -> None:
    sentence = "The pump station was built by hand in a dry summer. "
    found = list(cut([Block(sentence * 40, "line", 7)]))
    assert len(found) == 3
    assert all(one.text.endswith("summer.") and one.number == 7 for one in found)


def test_pages_are_not_mixed() -> None:
    found = list(cut([Block("a", "page", 1), Block("b", "page", 2), Block("c", "page", 2)]))
    assert [(one.text, one.number) for one in found] == [("a", 1), ("b\nc", 2)]


def rows(path: Path, text: str, **columns: str) -> tuple[list[Passage], list[str]]:
    path.write_text(text, encoding="utf-8")
    source = Source(str(path), data=DataSettings(), gold=False)
    return list(read_passages(source, PassageColumns(**columns))), source.meter.notes


def test_questions_and_answers_of_a_table(tmp_path: Path) -> None:
    found, notes = rows(tmp_path / "a.csv", "id,질문,답변\n7,환불은?,30일 안에\n8,,무료\n")
    assert found == [
        Passage("30일 안에", "line", 2, "7", "환불은?"),
        Passage("무료", "line", 3, "8"),
    ]
    assert "questions in '질문', answers in '답변'" in notes


def test_other_tables_have_a_passage_in_each_row(tmp_path: Path) -> None:
    text = '{"question": "q", "context": "c one", "answer": "c"}\n{"context": null}\n'
    found, _ = rows(tmp_path / "a.jsonl", text)
    assert [one.text for one in found] == ["c one"]
    found, _ = rows(tmp_path / "b.csv", "q,body\nwhat,that\n", text_column="body")
    assert found == [Passage("that", "line", 2)]
    found, _ = rows(
        tmp_path / "c.csv", "q,body\nwhat,that\n", text_column="body", question_column="q"
    )
    assert found == [Passage("that", "line", 2, "", "what")]
    with pytest.raises(DataError, match="no column for the text"):
        rows(tmp_path / "d.csv", "a,b\n1,2\n")
