"""Suspects among planted errors: labels, sets of labels, entities; other tasks are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bertft.contracts import IGNORED, Encoded
from bertft.errors import RecipeError
from bertft.loaders.conll import TaggedText
from bertft.spans import Entity, compose, words_of
from bertft.tasks import make_task
from bertft.tasks.suspects import find_suspects, refuse_others, units_of
from bertft.tasks.text_rows import TextExample


def classification(*labels: str, **options: object):
    return make_task({"name": "classification", **options}).bind(labels, {})


def pieces_for(rows, sure: float = 4.0):
    """One window each, with logits that are sure of these rows of zeros and ones."""
    return [[(Encoded([1], [0], i), (2 * np.array(row) - 1) * sure)] for i, row in enumerate(rows)]


class TestLabels:
    def test_the_flipped_one_is_found(self):
        task = classification("bad", "good")
        right = [("bad", "good")[i % 2] for i in range(40)]
        given = [*right[:7], "bad", *right[8:]]
        examples = [TextExample(str(i), i, f"t{i}", None, (one,)) for i, one in enumerate(given)]
        (found,) = find_suspects(
            task, examples, pieces_for([(one == "bad", one == "good") for one in right])
        )
        assert (found.example, found.given, found.suggested) == (7, "bad", "good")
        assert found.score < 0.05 < 0.95 < found.probability

    def test_a_label_that_one_row_has_cannot_be_judged(self):
        task = classification("bad", "good", "rare")
        given = ["bad", "good"] * 20 + ["rare"]
        examples = [TextExample(str(i), i, f"t{i}", None, (one,)) for i, one in enumerate(given)]
        logits = [(one == "bad", one != "bad", False) for one in given]
        assert find_suspects(task, examples, pieces_for(logits)) == []

    def test_a_set_is_suggested_as_a_whole(self):
        task = classification("a", "b", "c", multi_label=True)
        right = [("a", "b") if i % 2 else ("c",) for i in range(40)]
        given = [*right[:9], ("a", "c"), *right[10:]]
        given[20] = ()
        examples = [TextExample(str(i), i, f"t{i}", None, one) for i, one in enumerate(given)]
        found = find_suspects(
            task, examples, pieces_for([[name in one for name in "abc"] for one in right])
        )
        told = {one.example: (one.given, one.suggested) for one in found}
        assert told == {9: ("a|c", "a|b"), 20: ("(none)", "c")}


TEXT = "Anna Bell met Rob in Oslo today"
WORDS = tuple(words_of(TEXT))
PER, LOC = Entity(0, 9, "PER"), Entity(21, 25, "LOC")
ROB = Entity(14, 17, "PER")
RIGHT = ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "O"]


class TestEntities:
    @pytest.fixture
    def task(self):
        return make_task({"name": "ner"}).bind(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"], {})

    def find(self, task, *wrong):
        """Suspects among forty texts; the first ones have other entities than they should."""
        gold = (PER, ROB, LOC)
        given = [*wrong, *[gold] * (40 - len(wrong))]
        examples = [TaggedText(str(i), i, TEXT, WORDS, one) for i, one in enumerate(given)]
        logits = np.array([[8.0 * (tag == name) for name in task.labels] for tag in RIGHT])
        offsets = np.array(WORDS, dtype=np.int32)
        pieces = []
        for number, example in enumerate(examples):
            encoded = Encoded([1] * 7, [0] * 7, number, None, offsets)
            tags = task._tags(example, compose(example.text), offsets)
            pieces.append([(replace(encoded, target=tags), logits)])
        assert IGNORED not in pieces[0][0][0].target
        self.units = units_of(task, examples, pieces)
        return [
            (one.example, TEXT[slice(*one.span)], one.given, one.suggested)
            for one in find_suspects(task, examples, pieces)
        ]

    def test_one_of_another_type(self, task):
        assert self.find(task, (PER, ROB, replace(LOC, label="PER"))) == [(0, "Oslo", "PER", "LOC")]

    def test_one_that_is_missing(self, task):
        assert self.find(task, (PER, LOC)) == [(0, "Rob", "O", "PER")]

    def test_one_too_many(self, task):
        found = self.find(task, (PER, ROB, Entity(18, 20, "LOC"), LOC))
        assert found == [(0, "in", "LOC", "O")]

    def test_one_that_ends_too_early(self, task):
        found = self.find(task, (Entity(0, 4, "PER"), ROB, LOC))
        assert found == [(0, "Anna Bell", "PER (Anna)", "PER")]

    def test_units_have_types_for_tags(self, task):
        assert self.find(task) == []
        assert self.units.given[:7].tolist() == [2, 2, 0, 2, 0, 1, 0]
        assert self.units.p.shape == (280, 3)
        assert self.units.p.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"name": "qa"}, "qa"),
        ({"name": "classification", "regression": True}, "regression"),
        ({"name": "pretraining"}, "pretraining"),
    ],
)
def test_tasks_without_labels_are_refused_in_a_line(settings, kind):
    with pytest.raises(RecipeError, match=rf"^--labels does not apply to {kind}; it is for"):
        refuse_others(make_task(settings), "--labels")
