"""Rows that stand twice: exact, folded, near; rows that contradict. Against plain comparisons."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bertft.checks.duplicates import (
    Folder,
    conflicts,
    exact_duplicates,
    itself,
    may_repeat,
    near_findings,
    repeat_findings,
    repeats,
    shared_groups,
    without,
)
from bertft.checks.finding import Finding, Reading, Split
from bertft.checks.near import ALIKE, CROWD, alike, near_repeats, trigrams

LONG = "the film was never dull and the food was very good, so we loved it"


def near(*splits: Split) -> dict[tuple[str, str], dict[int, int]]:
    fold = Folder()
    return near_repeats(splits, known=repeats(splits, key=fold), fold=fold)


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    return {one.code: one for one in findings}


class TestExact:
    def test_rows_that_stand_once_are_no_finding(self, make_split):
        train = make_split("train", [("a", "x"), ("b", "x"), ("A", "x")])
        assert exact_duplicates([train, make_split("dev", [("c", "x")])]) == []

    def test_inside_and_across(self, make_split):
        train = make_split("train", [("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")])
        dev = make_split("dev", [("c", "x"), ("b", "y"), ("c", "x")])
        test = make_split("test", [("c", "x"), ("a", "x"), ("d", "x"), ("e", "x")])
        found = exact_duplicates([train, dev, test])
        told = {(one.code, one.split, one.what.split(",")[0]): one.count for one in found}
        also = "rows that are also in"
        assert told == {
            ("duplicate", "train", "rows that repeat an earlier one"): 2,
            ("duplicate", "dev", "rows that repeat an earlier one"): 1,
            ("duplicate-across", "dev", f"{also} train"): 1,
            ("duplicate-across", "test", f"{also} train"): 1,
            ("duplicate-across", "test", f"{also} dev"): 1,
        }
        across = next(one for one in found if one.split == "dev" and "across" in one.code)
        assert (across.severity, across.of, across.places[0].line) == ("warning", 3, 2)
        assert across.places[0].text == "b = train:2"

    def test_pairs_are_equal_when_both_texts_are(self, make_split):
        rows = [("a", "b", "x"), ("a", "c", "x"), ("b", "a", "x"), ("ab", "", "x")]
        assert exact_duplicates([make_split("train", rows)]) == []


class TestFolded:
    def test_case_spaces_and_composition_do_not_count(self, make_split):
        texts = [
            "A  good film ",
            "a good Film",
            unicodedata.normalize("NFD", "한국 영화"),
            "한국 영화",
        ]
        split = make_split("train", [(text, "x") for text in texts])
        fold = Folder()
        assert repeats([split], key=fold) == {("train", "train"): {1: 0, 3: 2}}
        assert repeats([split], key=itself) == {}

    def test_only_what_is_not_exact_is_told(self, make_split):
        split = make_split("train", [("a b", "x"), ("a b", "x"), ("A b", "x")])
        fold = Folder()
        extra = without(repeats([split], key=fold), repeats([split], key=itself))
        [found] = repeat_findings([split], extra, code="folded-duplicate")
        assert (found.count, found.places[0].text) == (1, "A b = train:1 (a b)")


class TestNear:
    def test_one_word_more_or_less(self, make_split):
        train = make_split("train", [(LONG, "x"), ("something else entirely", "x")])
        dev = make_split("dev", [(LONG + "!", "x"), ("nothing of the kind", "x")])
        assert near(train, dev) == {("dev", "train"): {0: 0}}

    def test_exact_and_folded_repeats_are_not_told_again(self, make_split):
        train = make_split("train", [(LONG, "x"), (LONG.upper(), "x")])
        assert near(train, make_split("dev", [(LONG, "x")])) == {}

    def test_both_texts_of_a_pair_have_to_be_alike(self, make_split):
        """Hypotheses about one premise are no near duplicates of each other."""
        rows = [(LONG, "we liked the film", "x"), (LONG, "we hated the food", "x")]
        assert near(make_split("train", rows)) == {}
        rows.append((LONG + "!", "we liked the film.", "x"))
        assert near(make_split("train", rows)) == {("train", "train"): {2: 0}}

    def test_a_crowd_of_like_rows_is_found_whole(self, make_split):
        rows = [(f"{LONG} {number}", "x") for number in range(5 * CROWD)]
        found = near(make_split("train", rows))
        assert set(found["train", "train"]) == set(range(1, 5 * CROWD))

    def test_a_chain_of_likeness_is_followed(self, make_split):
        """Each is like the one before, the last no longer like the first."""
        tails = ["", " at noon", " in may", " by car", " with us"]
        texts = [LONG + "".join(tails[: n + 1]) for n in range(len(tails))]
        assert not alike((texts[0],), (texts[-1],))
        found = near(make_split("train", [(text, "x") for text in texts]))
        assert set(found["train", "train"]) == {1, 2, 3, 4}

    def test_what_is_said_is_so(self, make_split):
        words = LONG.split()
        rows = [(" ".join(words[:cut] + words[cut + 1 :]), "x") for cut in range(len(words))]
        split = make_split("train", rows)
        for row, other in near(split).get(("train", "train"), {}).items():
            assert alike(split.readings[row].texts, split.readings[other].texts)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.text("ab c", min_size=4, max_size=14), max_size=12, unique=True))
    def test_as_comparing_all_with_all(self, texts):
        folded = list(dict.fromkeys(" ".join(text.split()) for text in texts))
        rows = [Reading((text,), (), 0) for text in folded]
        split = Split("train", "a", rows, rows)
        fold = Folder()
        found = near_repeats([split], known={}, fold=fold).get(("train", "train"), {})
        expected = {
            row
            for row in range(len(folded))
            if any(alike((folded[row],), (folded[other],)) for other in range(row))
        }
        assert set(found) <= expected
        assert len(expected - set(found)) <= len(expected) / 5 + 1  # hashing may miss one

    def test_trigrams(self):
        assert trigrams("abcd") == {"abc", "bcd"}
        assert trigrams("ab") == {"ab"}
        assert alike(("abcdefgh",), ("abcdefgh",))
        assert not alike(("abcdefgh",), ("abcdxfgh",))
        text = "abcdefghijklmnop"  # 14 trigrams; one letter more makes one more
        assert ALIKE < 14 / 15
        assert alike((text,), (text + "q",))


class TestGroups:
    def test_a_passage_in_two_splits(self, make_split):
        train = make_split("train", [("p", "q1", "x"), ("p", "q2", "x")], group=True)
        dev = make_split("dev", [("p", "q3", "x"), ("r", "q1", "x")], group=True)
        [found] = shared_groups([train, dev])
        assert (found.code, found.count, found.of, found.places[0].line) == (
            "shared-passage",
            1,
            2,
            1,
        )
        assert shared_groups([train]) == []

    def test_texts_without_a_group_share_none(self, make_split):
        assert (
            shared_groups([make_split("train", [("a", "x")]), make_split("dev", [("a", "x")])])
            == []
        )


class TestConflicts:
    def test_the_same_text_with_another_label(self, make_split):
        train = make_split("train", [("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")])
        dev = make_split("dev", [("b", "x"), ("b", "y"), ("c", "y")])
        found = conflicts([train, dev])
        assert [(one.split, one.count, one.places[0].line) for one in found] == [
            ("train", 1, 3),
            ("dev", 1, 2),
        ]
        assert found[0].places[0].text == "a: y here, x in train:1"
        assert found[1].places[0].text == "b: y here, x in train:2"

    def test_agreement_is_no_conflict(self, make_split):
        assert conflicts([make_split("train", [("a", "x"), ("a", "x"), ("A", "y")])]) == []


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_repeats_are_those_of_plain_counting(train, dev):
    splits = [
        Split(name, name, [0] * len(texts), [Reading((text,), (), 0) for text in texts])
        for name, texts in (("train", train), ("dev", dev))
    ]
    found = repeats(splits, key=itself)
    assert len(found.get(("train", "train"), {})) == len(train) - len(set(train))
    assert len(found.get(("dev", "dev"), {})) == len(dev) - len(set(dev))
    assert len(found.get(("dev", "train"), {})) == sum(text in train for text in dev)
    for rows in found.values():
        assert all(a < b for a, b in pairwise(rows))


class TestNearAdvice:
    """What is nearly the same is no copy where it has other gold, or shares its passage."""

    def codes(self, *splits: Split) -> dict[str, Finding]:
        return by_code(near_findings(splits, near(*splits)))

    def test_questions_that_differ_on_purpose(self, make_split):
        passage = "a passage about the city of Seoul, which lies on the Han River"
        asked = [
            (passage, "When was the city of Seoul made the capital of the country?", "answerable"),
            (passage, "When wasn't the city of Seoul made the capital of the country?", "none"),
            (passage, "When was the city of Seoul made the capital of a country?", "answerable"),
        ]
        found = self.codes(make_split("train", asked, group=True))
        assert {code: one.count for code, one in found.items()} == {
            "near-twin": 1, "near-sibling": 1,
        }  # fmt: skip
        assert {one.severity for one in found.values()} == {"note"}
        assert "keep both" in found["near-twin"].fix
        assert "keep one of each" not in found["near-sibling"].fix

    def test_copies_are_still_copies(self, make_split):
        train = make_split("train", [(LONG, "x"), (LONG + "!", "x")])
        dev = make_split("dev", [(LONG + ".", "x"), (LONG + " it", "y")])
        found = self.codes(train, dev)
        assert found["near-duplicate"].severity == "note"
        assert "keep one of each" in found["near-duplicate"].fix
        across = found["near-duplicate-across"]
        assert (across.severity, across.count) == ("warning", 1)
        assert found["near-twin-across"].severity == "note"

    def test_numbers_that_differ_make_no_twins(self, make_split):
        split = make_split("train", [(LONG, "x"), (LONG + "!", "x")])
        readings = [Reading(one.texts, (), 3.2 + i) for i, one in enumerate(split.readings)]
        split = Split("train", "train.csv", split.examples, readings)
        assert set(self.codes(split)) == {"near-duplicate"}


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=6), max_size=3))
def test_rows_that_may_repeat_are_those_whose_texts_another_row_has(given: list[list[str]]) -> None:
    splits = [
        Split(str(number), "", texts, [Reading((text,), (), 0) for text in texts])
        for number, texts in enumerate(given)
    ]
    every = [text for texts in given for text in texts]
    expected = [[i for i, text in enumerate(own) if every.count(text) > 1] for own in given]
    assert may_repeat(splits) == expected
