"""Summaries: which sentences are taken, in which order, and that none says the same again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from samples import Command

from bertft.inside.embedder import unit_length
from bertft.loaders.blocks import Block
from bertft.retrieval.summary import Sentence, diverse, sentences_of, summary

LONG = "a sentence that is long enough"


def sentences(count: int, *, text: str = LONG) -> list[Sentence]:
    return [Sentence(f"{text} {number}", number, "line", 1) for number in range(1, count + 1)]


def test_the_most_central_is_taken_and_not_twice() -> None:
    near = [[1, 0.1, 0], [1, 0, 0.1], [1, 0.05, 0.05], [0.5, 1, 0], [0.5, 0, -1]]
    vectors = unit_length(np.array(near, dtype=np.float32))
    (one,) = summary(sentences(5), vectors, count=1)
    assert one.sentence.number == int((vectors @ vectors.mean(axis=0)).argmax()) + 1
    taken = [one.sentence.number for one in summary(sentences(5), vectors, count=3)]
    assert taken == sorted(taken)
    assert len({1, 2, 3} & set(taken)) == 1  # the other two say something else


def test_a_query_decides_what_is_said() -> None:
    vectors = np.eye(3, dtype=np.float32)
    (one,) = summary(sentences(3), vectors, count=1, query=vectors[2])
    assert (one.sentence.number, one.similarity) == (3, 1.0)
    (one,) = summary(sentences(3), vectors, count=1)
    assert one.similarity is None


def test_scraps_are_taken_only_where_nothing_else_is_left() -> None:
    some = [*sentences(2), Sentence("# Heading", 3, "line", 1)]
    vectors = unit_length(np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32))
    assert [one.sentence.number for one in summary(some, vectors, count=2)] == [1, 2]
    assert [one.sentence.number for one in summary(some, vectors, count=3)] == [1, 2, 3]
    assert len(summary(some, vectors, count=9)) == 3


@given(st.integers(1, 12), st.integers(1, 15))
def test_each_sentence_is_taken_once(size: int, count: int) -> None:
    generator = np.random.default_rng(size * 31 + count)
    vectors = unit_length(generator.standard_normal((size, 4)).astype(np.float32))
    found = diverse(vectors, generator.random(size), count=count)
    assert len(found) == len(set(found)) == min(size, count)


def test_sentences_are_numbered_over_blocks() -> None:
    blocks = [Block("One here. Two here.", "page", 1), Block("Three.", "page", 2)]
    assert [(one.text, one.number, one.place) for one in sentences_of(blocks)] == [
        ("One here.", 1, 1), ("Two here.", 2, 1), ("Three.", 3, 2),
    ]  # fmt: skip


def test_the_command(command: Command, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("We love this film very much. The food was great .\n")
    (tmp_path / "b.csv").write_text("id,text\n7,It is slow and very dull. No\n8,\n")
    asked = ("summarise", "a.txt", "b.csv", "--sentences", "1", "--model", str(tiny))
    code, out, err = command(*asked, "--json")
    assert code == 0, err
    first, second = map(json.loads, out.splitlines())
    assert (first["of"], len(first["sentences"])) == (2, 1)
    assert list(first["sentences"][0]) == ["number", "line", "text", "centrality"]
    assert first["summary"] == first["sentences"][0]["text"]
    assert (second["file"], second["id"], second["summary"]) == (
        "b.csv", "7", "It is slow and very dull.",
    )  # fmt: skip
    assert "rows hold no text and are left out" in err
    code, out, _ = command(*asked, "--query", "food")
    assert "b.csv, id 7  1 of 2 sentences" in out


def test_a_blank_query_is_refused(command: Command, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("We love it.\n", encoding="utf-8")
    code, _, err = command("summarise", "a.txt", "--query", " ", "--model", str(tiny))
    assert (code, "--query holds no text" in err) == (2, True), err
