"""Rows that are stored, picked, joined or made when asked for are the same as a list of them."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft import rows
from bertft.errors import BertftError
from bertft.rows import Bytes, Mapped, Picked, Stored, joined, mapped, picked, stored
from bertft.tasks.soft_labels import Soft
from bertft.tasks.text_rows import TextExample


@dataclass(frozen=True)
class Row:
    text: str
    gold: Any = None


TEXTS = st.text(st.characters(exclude_categories=()))  # lone surrogates, too
GOLDS = st.one_of(
    st.none(), st.floats(allow_nan=False), st.tuples(TEXTS, TEXTS), st.lists(st.integers())
)
ROWS = st.lists(st.builds(Row, TEXTS, GOLDS), max_size=8)


@given(st.lists(st.binary(max_size=9)), st.integers(0, 20))
def test_bytes_are_read_by_their_places_wherever_they_lie(parts: list[bytes], held: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "IN_MEMORY", held)
        found, whole = Bytes(), b""
        for part in parts:
            found.extend(part)
            whole += part
            middle = len(whole) // 2
            assert (found[:middle], found[middle:]) == (whole[:middle], whole[middle:])
        assert len(found) == len(whole)


def test_a_full_disk_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rows, "IN_MEMORY", 3)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    found = Bytes()
    found.extend(b"123")
    with pytest.raises(BertftError, match=r"no room for the rows \(No space left.*TMPDIR="):
        found.extend(b"4")


@given(ROWS)
def test_what_is_stored_is_the_same_sequence(given: list[Row]) -> None:
    found = Stored(given)
    assert list(found) == given
    assert len(found) == len(given)
    assert [found[place] for place in range(-len(given), len(given))] == given + given
    assert (found[1:4], found[::-1], found[9:]) == (given[1:4], given[::-1], [])
    with pytest.raises(IndexError):
        found[len(given)]


def test_a_row_of_more_than_plain_values_is_kept_as_it_is() -> None:
    plain = TextExample("1", 2, "good", None, ("positive",), given_group="a")
    soft = replace(
        plain, id="2", gold=Soft(("positive",), {"positive": 0.7, "negative": 0.3}), source="b"
    )
    found = Stored([plain, soft, plain])
    assert list(found) == [plain, soft, plain]
    assert found[1] is soft
    assert repr(found[0]) == repr(plain)
    assert (found[0].group, found[1].origin) == ("a", {"source": "b"})


@given(ROWS, st.data())
def test_some_of_some_of_several_are_those_of_the_list(given: list[Row], data: st.DataObject):
    cut = data.draw(st.integers(0, len(given)))
    whole = joined([Stored(given[:cut]), given[cut:]])
    assert isinstance(whole, Picked)
    assert list(whole) == given
    some = data.draw(st.lists(st.sampled_from(range(len(given))))) if given else []
    few = picked(whole, some)
    assert list(few) == picked(given, some) == [given[one] for one in some]
    places = range(0, len(some), 2)
    assert list(picked(few, places)) == [given[one] for one in some[::2]]
    assert list(mapped(repr, few)) == mapped(repr, picked(given, some))


def test_lists_stay_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    assert joined([[1], [2, 3]]) == [1, 2, 3]
    assert picked([1, 2, 3], [2, 0]) == [3, 1]
    assert mapped(str, [1, 2]) == ["1", "2"]
    assert stored(iter([Row("a")])) == [Row("a")]
    monkeypatch.setattr(rows, "MANY", 2)
    many = stored(Row(name) for name in "abc")
    assert isinstance(many, Stored)
    assert list(many) == [Row("a"), Row("b"), Row("c")]


def test_what_is_made_of_rows_is_made_when_it_is_asked_for() -> None:
    asked: list[int] = []

    def text(row: Row) -> str:
        asked.append(row.gold)
        return row.text

    found = Mapped(text, Stored([Row("a", 1), Row("b", 2)]))
    assert asked == []
    assert (found[1], asked) == ("b", [2])
    assert (list(found), asked) == (["a", "b"], [2, 1, 2])
