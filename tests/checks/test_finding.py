"""Findings: one line each, merged by kind, the worst first; places are kept in bounds."""

from __future__ import annotations

from dataclasses import replace

from bertft.checks.finding import KEPT, Finding, Hits, Place, merge, short, worst_first


def test_all_are_counted_and_some_are_kept():
    hits = Hits()
    for line in range(1000):
        hits.add(Place("a.csv", line))
    [found] = hits.finding("note", "some-code", split="dev", what="rows of a kind", of=4000)
    assert (found.count, len(found.places)) == (1000, KEPT)
    assert found.line == "dev: rows of a kind: 1,000 of 4,000 (25.0 %)"


def test_nothing_found_is_no_finding():
    assert Hits().finding("error", "some-code", split="dev", what="rows of a kind") == []


def test_a_share_that_is_small_is_not_nought():
    assert Finding("note", "c", "dev", "rows", 1, 30_000).amount == "1 of 30,000 (0.0033 %)"
    assert Finding("note", "c", "dev", "rows", 7).amount == "7"


def test_findings_of_a_kind_are_one():
    one = Finding("note", "c", "dev", "rows", 1, 10, "", (Place("a", 1),))
    two = Finding("note", "c", "dev", "rows", 2, 10, "", (Place("a", 2), Place("a", 3)))
    other = Finding("note", "c", "test", "rows", 5, 10)
    merged = merge([one, two, other])
    assert [(found.count, found.of, len(found.places)) for found in merged] == [
        (3, 20, 3),
        (5, 10, 0),
    ]


def test_ids_are_shown_where_lines_do_not_tell_examples_apart(make_split):
    """A file of JSON may be one line."""
    split = make_split("train", [("good", "a"), ("bad", "b")])
    assert (split.spot(1), split.place(1).text) == ("train:2", "bad")
    one_line = replace(split, examples=[replace(one, line=1) for one in split.examples])
    assert (one_line.spot(1), one_line.place(1).text) == ("train:2", "2: bad")
    other = replace(one_line, examples=[replace(one, id=f"q{one.id}") for one in one_line.examples])
    assert other.spot(1) == "train:q2"


def test_errors_come_first():
    found = [Finding(kind, kind, "dev", "rows", 1) for kind in ("note", "error", "warning", "note")]
    assert [one.severity for one in worst_first(found)] == ["error", "warning", "note", "note"]


def test_texts_are_shown_in_one_line():
    assert short(" a\n b ") == "a b"
    assert len(short("word " * 100)) == 60
