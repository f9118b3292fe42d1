"""Kinds of mistakes, counted by hand; confusions and their order."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertft.evaluation.confusions import clustered, confusions, most_mistaken
from bertft.evaluation.mistakes import ENTITY_KINDS, entity_mistakes, question_mistake
from bertft.evaluation.outcomes import outcome

SPANS = st.sets(
    st.tuples(st.integers(0, 5), st.integers(1, 4), st.sampled_from("AB")).map(
        lambda one: (one[0], one[0] + one[1], one[2])
    ),
    max_size=5,
)


def kinds(gold: set[tuple[int, int, str]], found: set[tuple[int, int, str]]) -> dict[str, int]:
    return dict(Counter(kind for kind, *_ in entity_mistakes(gold, found)))


class TestEntities:
    def test_a_text_with_one_of_each(self) -> None:
        gold = {(0, 5, "PER"), (10, 15, "PER"), (20, 30, "ORG"), (40, 45, "LOC"), (50, 55, "LOC")}
        found = {(0, 5, "PER"), (10, 15, "ORG"), (20, 25, "ORG"), (42, 48, "PER"), (60, 65, "LOC")}
        one_each = {"type": 1, "boundary": 1, "both": 1, "missed": 1, "spurious": 1}
        assert kinds(gold, found) == one_each

    def test_the_same_place_comes_before_the_same_type_and_each_is_paired_once(self) -> None:
        gold, found = {(0, 10, "A")}, {(0, 10, "B"), (0, 4, "A")}
        assert kinds(gold, found) == {"type": 1, "spurious": 1}
        two = {(0, 4, "A"), (5, 9, "A")}
        assert kinds({(0, 9, "A")}, two) == {"boundary": 1, "spurious": 1}
        assert [pair[2] for pair in entity_mistakes({(0, 9, "A")}, {(0, 2, "A"), (3, 9, "A")})] == [
            (3, 9, "A"), (0, 2, "A"),
        ]  # fmt: skip

    def test_neighbours_do_not_overlap(self) -> None:
        assert kinds({(0, 5, "A")}, {(5, 9, "A")}) == {"missed": 1, "spurious": 1}

    @given(SPANS, SPANS)
    def test_every_wrong_entity_is_in_one_mistake(self, gold, found) -> None:
        mistakes = list(entity_mistakes(gold, found))
        assert {kind for kind, *_ in mistakes} <= ENTITY_KINDS.keys()
        assert sorted(one for _, one, _ in mistakes if one) == sorted(gold - found)
        assert sorted(one for *_, one in mistakes if one) == sorted(found - gold)


@pytest.mark.parametrize(("given_", "golds", "kind"), [
    ("the cat", ["A dog"], "no overlap"),
    ("big old cat", ["old cat"], "longer"),
    ("cat", ["an old cat"], "shorter"),
    ("old cat sat", ["big old cat"], "partly"),
    ("catalogue", ["cat"], "no overlap"),
    ("cat sat", ["dog", "cat"], "longer"),
    ("cat", [], "answered where there is none"),
    ("", ["cat"], "no answer where there is one"),
    ("the", ["cat"], "no answer where there is one"),
])  # fmt: skip
def test_wrong_answers(given_: str, golds: list[str], kind: str) -> None:
    assert question_mistake(given_, golds, scoring="squad") == kind


def test_wrong_korean_answers() -> None:
    assert question_mistake("서울에서", ["서울"], scoring="korquad") == "longer"
    assert question_mistake("서울", ["서울특별시"], scoring="klue") == "shorter"


class TestOutcomes:
    def test_several_labels(self) -> None:
        row = {"labels": ["a", "b"], "gold": ["b", "c"], "scores": {"a": 0.7, "b": 0.6, "c": 0.1}}
        one = outcome(row, scoring="squad")
        assert (one.right, one.part, one.whole, one.labels) == (False, 2.0, 4.0, ("b", "c"))
        assert one.sure == 0.9  # that c is not there

    def test_entities(self) -> None:
        gold = [{"start": 0, "end": 3, "label": "A"}]
        found = [gold[0] | {"score": 0.99}, {"start": 4, "end": 6, "label": "A", "score": 0.4}]
        one = outcome({"text": "x", "gold": gold, "entities": found}, scoring="squad")
        assert (one.part, one.whole, one.sure, one.labels) == (2.0, 3.0, 0.4, ("A",))
        found[0]["repaired"] = True
        one = outcome({"text": "x", "gold": gold, "entities": found}, scoring="squad")
        assert (one.part, one.whole) == (0.0, 2.0)

    def test_a_right_label_has_no_mistake_to_be_sure_of(self) -> None:
        row = {"label": "a", "gold": "a", "score": 0.9}
        assert outcome(row, scoring="squad").sure is None
        assert outcome(row | {"gold": "b"}, scoring="squad").sure == 0.9


COUNTS = {
    "a": {"a": 5, "d": 5},
    "b": {"b": 9, "c": 1},
    "c": {"b": 6, "c": 4},
    "d": {"a": 2, "d": 8},
    "e": {"e": 10},
}


class TestConfusions:
    def test_the_most_frequent_first(self) -> None:
        found = [(one.gold, one.predicted, one.count, one.share) for one in confusions(COUNTS)]
        assert found[0] == ("c", "b", 6, 0.6)
        assert [one[2] for one in found] == [6, 5, 2, 1]

    def test_confused_classes_stand_together(self) -> None:
        order = clustered(COUNTS, list(COUNTS))
        assert sorted(order) == list("abcde")
        for one, other in ("ad", "bc"):
            assert abs(order.index(one) - order.index(other)) == 1

    def test_the_most_mistaken(self) -> None:
        assert most_mistaken(COUNTS, most=4) == ["a", "b", "c", "d"]
        assert clustered({}, []) == []
