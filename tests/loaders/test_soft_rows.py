"""Soft tags and soft answers: by characters, so that any tokenizer can ask; slips are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bertft.errors import DataError
from bertft.loaders.conll import read_tagged
from bertft.loaders.soft_answers import mean_answers, read_soft_answers
from bertft.loaders.soft_tags import SoftTags, mean_tags, read_soft_tags
from bertft.loaders.source import Source
from bertft.loaders.squad import read_questions
from bertft.loaders.tagged_rows import TagColumns
from bertft.settings import DataSettings
from bertft.spans import Entity, compose

TAGS = ("O", "B-X", "I-X")
TEXT = "Kim Lee lives"
SOFT = {"tags": list(TAGS), "start": [0, 4, 8], "end": [3, 7, 13],
        "p": [[0.1, 0.9, 0], [0.2, 0.1, 0.7], [1, 0, 0]]}  # fmt: skip


def units(*spans: tuple[int, int]) -> Any:
    return np.array(spans, dtype=np.int32).reshape(-1, 2)


def soft_tags() -> SoftTags:
    found = read_soft_tags(SOFT, text=TEXT)
    assert found is not None
    return found


class TestTags:
    def test_what_is_written_is_read(self) -> None:
        found = soft_tags()
        assert found.content() == SOFT
        assert found.entities() == (Entity(0, 7, "X"),)
        again = read_soft_tags(json.dumps(SOFT), text=TEXT)
        assert again is not None
        assert again.content() == SOFT

    def test_other_units_have_those_of_the_characters(self) -> None:
        """A unit that begins inside of one goes on with its entity."""
        asked = units((0, 1), (1, 3), (4, 13), (13, 14))
        found = soft_tags().rows(asked, ("O", "I-X", "B-X"))
        expected = [[0.1, 0, 0.9], [0.1, 0.9, 0], [0.2, 0.7, 0.1], [0, 0, 0]]
        assert np.allclose(found, expected)

    def test_tags_that_only_the_student_has_are_improbable(self) -> None:
        assert soft_tags().rows(units((0, 3)), ("O", "B-Y", "B-X")).tolist() == [
            pytest.approx([0.1, 0, 0.9])
        ]

    def test_the_mean_is_that_of_other_units_and_orders_too(self) -> None:
        other = SoftTags(("B-X", "O", "I-X"), units((0, 7)), np.array([[0.5, 0.5, 0]]))
        found = mean_tags([soft_tags(), other])
        assert found.p[0] == pytest.approx([0.3, 0.7, 0])
        assert found.p[1] == pytest.approx([0.35, 0.05, 0.6])  # the second word goes on
        assert found.p[2] == pytest.approx([1, 0, 0])  # told by one alone

    def test_composing_moves_them(self) -> None:
        text = "Cafe\u0301 Kim"
        told = SoftTags(TAGS, units((0, 5), (6, 9)), np.eye(3)[:2])
        assert told.composed(compose(text)).spans == ((0, 4), (5, 8))

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"tags": ["O", "X"]}, "'X' is none of the tags O, B-X and I-X"),
            ({"tags": ["O", "S-X", "I-X"]}, "'S-X' is none of the tags"),
            ({"tags": ["B-X", "I-X", "B-X"]}, "tags need O, and each tag once"),
            ({"start": [0, 4]}, "no lists of whole numbers of one length"),
            ({"start": [0, 4, "8"]}, "no lists of whole numbers"),
            ({"end": [3, 7, 14]}, "(8, 14) is no unit of the text of 13 characters"),
            ({"end": [3, 9, 13]}, "(8, 13) is no unit"),
            ({"start": [0, 4, 13]}, "(13, 13) is no unit"),
            ({"p": [[1, 0, 0]]}, "p is not a number for each tag of each unit"),
            ({"p": [[1, 0, 0], [1, 0], [1, 0, 0]]}, "p is not a number for each tag"),
            ({"p": [[1, 0, 0], [2, -1, 0], [1, 0, 0]]}, "no number from 0 to 1"),
            ({"p": [[1, 0, 0], [0.5, 0, 0], [1, 0, 0]]}, "add up to 0.5, not to 1"),
        ],
    )
    def test_what_is_none_is_told(self, change: dict[str, Any], told: str) -> None:
        with pytest.raises(DataError) as error:
            read_soft_tags(SOFT | change, text=TEXT)
        assert told in error.value.message

    def test_other_things_than_objects(self) -> None:
        for cell in ("no", 3, {"tags": []}, "{broken"):
            with pytest.raises(DataError, match="no probabilities of tags"):
                read_soft_tags(cell, text=TEXT)

    @pytest.mark.parametrize("form", ["auto", "conll", "characters"])
    def test_rows_of_a_file(self, form: str, tmp_path: Path) -> None:
        """Whatever form, and unit of offsets, the other files of a recipe have."""
        path = tmp_path / "in.jsonl"
        rows = [
            {"text": TEXT, "soft_tags": SOFT},
            {"text": TEXT, "soft_tags": SOFT, "entities": [{"start": 0, "end": 3, "label": "X"}]},
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[:1]), encoding="utf-8")
        source = Source(str(path), data=DataSettings())
        columns = TagColumns(offsets="from-1")
        (one,) = read_tagged(source, form=form, columns=columns)
        assert one.entities == (Entity(0, 7, "X"),)
        assert one.words == ((0, 3), (4, 7), (8, 13))
        assert one.soft is not None
        assert source.meter.repaired["texts have probabilities of tags: all of them are learned"]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[1:]), encoding="utf-8")
        (one,) = read_tagged(Source(str(path), data=DataSettings()), form=form, columns=columns)
        assert one.entities == (Entity(0, 3, "X"),)
        rows[1]["soft_tags"] = SOFT | {"p": [[1]]}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        with pytest.raises(DataError, match=r"in\.jsonl:2: soft_tags: p is not a number"):
            list(read_tagged(Source(str(path), data=DataSettings()), form=form))


CONTEXT = "Kim lives in Seoul."
PLACES = {"start": [[0, 0.2], [13, 0.7]], "end": [[3, 0.2], [18, 0.75]]}


class TestAnswers:
    def test_what_is_written_is_read(self) -> None:
        found = read_soft_answers(PLACES, context=CONTEXT)
        assert found is not None
        assert found.content() == PLACES
        assert found.probability((13, 18)) == pytest.approx(0.7 * 0.75)
        assert found.probability(None) == pytest.approx(0.1 * 0.05)
        assert read_soft_answers(None, context=CONTEXT) is None

    def test_pieces_have_those_of_their_characters(self) -> None:
        """Whole words, pieces inside of them, and a piece of white space alone."""
        found = read_soft_answers(PLACES, context=CONTEXT)
        assert found is not None
        words = units((0, 3), (4, 9), (10, 12), (13, 18), (18, 19))
        assert np.allclose(found.rows(words), [[0.2, 0.2], [0, 0], [0, 0], [0.7, 0.75], [0, 0]])
        pieces = units((0, 1), (1, 3), (3, 3), (4, 12), (13, 15), (15, 19))
        expected = [[0.2, 0], [0, 0.2], [0, 0], [0, 0], [0.7, 0], [0, 0.75]]
        assert np.allclose(found.rows(pieces), expected)
        assert found.rows(units()).shape == (0, 2)

    def test_the_mean(self) -> None:
        told = [read_soft_answers(one, context=CONTEXT) for one in
                (PLACES, {"start": [[13, 0.1]], "end": []})]  # fmt: skip
        found = mean_answers([one for one in told if one is not None]).content()
        assert found == {"start": [[0, 0.1], [13, 0.4]], "end": [[3, 0.1], [18, 0.375]]}

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"start": [[19, 0.1]]}, "start 19 is no place in the context"),
            ({"end": [[0, 0.1]]}, "end 0 is no place"),
            ({"start": [[0.5, 0.1]]}, "start 0.5 is no place"),
            ({"start": [[0, 1.1]]}, "start is no list of [character, probability]"),
            ({"start": [0, 1]}, "start is no list of"),
            ({"start": 3}, "start is no list of"),
            ({"end": [[3, 0.6], [4, 0.6]]}, "end adds up to 1.2, more than 1"),
        ],
    )
    def test_what_is_none_is_told(self, change: dict[str, Any], told: str, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        row = {"question": "who", "context": CONTEXT, "answers": []}
        row |= {"soft_answers": PLACES | change}
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
        with pytest.raises(DataError) as error:
            list(read_questions(Source(str(path), data=DataSettings())))
        assert told in str(error.value)
        assert "in.jsonl:1" in str(error.value)
