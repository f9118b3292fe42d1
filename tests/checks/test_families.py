"""Rows that give each other away are of one family."""

from __future__ import annotations

from bertft.checks.families import families

TEXT = "the card that I ordered on Monday has still not arrived at my house"


def test_copies_and_near_copies_are_one_family(make_split):
    rows = [(TEXT, "a"), ("another text altogether", "a"), (TEXT.upper(), "b"), (TEXT + "!", "a")]
    found = families(make_split("train", rows))
    assert found[0] == found[2] == found[3] != found[1]


def test_rows_on_one_passage_are_one_family(make_split):
    rows = [
        ("passage one", "what?", "a"),
        ("passage two", "when?", "a"),
        ("passage one", "who?", "b"),
    ]
    found = families(make_split("train", rows, group=True))
    assert found[0] == found[2] != found[1]


def test_rows_that_differ_are_on_their_own(make_split):
    assert len(set(families(make_split("train", [(one, "a") for one in ("x", "yy", "zzz")])))) == 3
