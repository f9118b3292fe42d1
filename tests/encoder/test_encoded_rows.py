"""Flat arrays of Encoded are a sequence of the same Encoded."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.contracts import Encoded, Masked
from bertft.encoder import encoded_rows
from bertft.encoder.encoded_rows import EncodedRows, compact, examples_of, lengths_of

TARGETS = st.one_of(st.none(), st.integers(0, 9), st.floats(0, 1), st.lists(st.integers(0, 1)))


@st.composite
def rows(draw: st.DrawFn) -> list[Encoded]:
    found, has_types, is_masked = [], draw(st.booleans()), draw(st.booleans())
    for number in range(draw(st.integers(0, 6))):
        ids = draw(st.lists(st.integers(0, 2**31 - 1), max_size=5))
        kinds = array("b", [draw(st.integers(0, 1)) for _ in ids] if has_types else [])
        dropped = draw(st.integers(0, 3))
        masked = None
        if is_masked:
            masked = Masked(array("i", range(number)), array("i", [9] * number))
        found.append(
            Encoded(
                array("i", ids), kinds, 7 - number, draw(TARGETS), dropped=dropped, masked=masked
            )
        )
    return found


@given(rows())
def test_they_are_the_same_sequence(given: list[Encoded]) -> None:
    flat = EncodedRows(given)
    assert list(flat) == given
    assert len(flat) == len(given)
    assert [flat[place] for place in range(-len(given), len(given))] == given + given
    assert (flat[1:4], flat[::-1], flat[9:]) == (given[1:4], given[::-1], [])
    assert lengths_of(flat) == lengths_of(given) == [len(one) for one in given]
    assert list(examples_of(flat)) == examples_of(given)
    with pytest.raises(IndexError):
        flat[len(given)]


def test_what_has_more_than_arrays_hold_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    few = [Encoded(array("i", [2, 3]), array("b", [0, 0]), 0) for _ in range(3)]
    assert compact(few) is few
    monkeypatch.setattr(encoded_rows, "MANY", 2)
    assert isinstance(compact(few), EncodedRows)
    with_offsets = [*few, Encoded([2, 3], [0, 0], 1, offsets=np.zeros((2, 2), dtype=np.int32))]
    assert compact(with_offsets) is with_offsets
    masked = [*few, Encoded([2, 3], [0, 0], 1, masked=Masked([0], [2]))]
    assert compact(masked) is masked


def test_what_shares_its_tokens_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passage of several questions is computed once, by which it is known."""
    monkeypatch.setattr(encoded_rows, "MANY", 2)
    tokens = array("i", [5, 6])
    encoded = [Encoded(tokens, array("b"), number) for number in range(3)]
    assert compact(encoded) is encoded
    own = [Encoded(array("i", [5]), array("b"), number) for number in (0, 1)]
    assert isinstance(compact(own), EncodedRows)
