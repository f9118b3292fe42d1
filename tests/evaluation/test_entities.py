"""Entity scores against conlleval and seqeval, written here from tags; characters from tags too."""

from __future__ import annotations

import re
from collections import defaultdict
from random import Random
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from bertft.evaluation.entities import (
    character_counts,
    character_metrics,
    entity_counts,
    entity_metrics,
    per_type,
)
from bertft.evaluation.intervals import bootstrap, point_values
from bertft.evaluation.metrics import as_floats
from bertft.evaluation.scores import entity_scores
from bertft.spans import Entity

TYPES = ("PER", "LOC", "ORG")
LETTERS = {"O": "O"} | {
    f"{mark}-{name}": letter
    for name, pair in zip(TYPES, ("Pp", "Ll", "Gg"), strict=True)
    for mark, letter in zip("BI", pair, strict=True)
}
NAMES = dict(zip("plg", TYPES, strict=True))
Tags = list[str]


def entities(tags: Tags) -> list[Entity]:
    """One character per tag: capitals begin an entity, small letters go on with it."""
    return [
        Entity(one.start(), one.end(), NAMES[one[0][0].lower()], repaired=one[0].islower())
        for one in re.finditer("Pp*|p+|Ll*|l+|Gg*|g+", "".join(LETTERS[tag] for tag in tags))
    ]


def data_set(random: Random) -> tuple[list[Tags], list[Tags]]:
    """Gold and given tags of up to four sentences, given ones mostly right; any tag may follow."""
    possible = random.choice(
        [["O", "B-PER", "I-PER"], [*LETTERS], ["O", "O", "O", *LETTERS], ["O"]]
    )
    gold = [random.choices(possible, k=random.randint(1, 8)) for _ in range(random.randint(1, 4))]
    share = random.choice([0.0, 0.2, 1.0])
    given = [
        [random.choice([*LETTERS]) if random.random() < share else tag for tag in tags]
        for tags in gold
    ]
    return gold, given


def f1_of(right: float, given: float, gold: float) -> float:
    precision = right / given if given else 0.0
    recall = right / gold if gold else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def conlleval(gold: list[Tags], given: list[Tags]) -> tuple[int, int, int]:
    """Right, given and gold chunks, counted from tag to tag as the script does."""

    def parts(tag: str) -> tuple[str, str]:
        return ("O", "") if tag == "O" else (tag[0], tag[2:])

    def ends(before: tuple[str, str], now: tuple[str, str]) -> bool:
        return before[0] != "O" and (now[0] in "BO" or before[1] != now[1])

    def starts(before: tuple[str, str], now: tuple[str, str]) -> bool:
        return now[0] != "O" and (now[0] == "B" or before[0] == "O" or before[1] != now[1])

    right = found_guessed = found_correct = 0
    for wanted, found in zip(gold, given, strict=True):
        last_correct = last_guessed = ("O", "")
        in_correct = False
        for one, other in zip([*wanted, "O"], [*found, "O"], strict=True):
            correct, guessed = parts(one), parts(other)
            if in_correct:
                both = ends(last_correct, correct), ends(last_guessed, guessed)
                if all(both) and last_correct[1] == last_guessed[1]:
                    in_correct = False
                    right += 1
                elif both[0] != both[1] or correct[1] != guessed[1]:
                    in_correct = False
            start_correct, start_guessed = (
                starts(last_correct, correct),
                starts(last_guessed, guessed),
            )
            in_correct |= start_correct and start_guessed and correct[1] == guessed[1]
            found_correct += start_correct
            found_guessed += start_guessed
            last_correct, last_guessed = correct, guessed
    return right, found_guessed, found_correct


def strict_chunks(sentences: list[Tags]) -> dict[str, set[tuple[int, int, int]]]:
    """Chunks by type that are valid IOB2: B-X and as many I-X as follow; other I-X are nothing."""
    chunks = defaultdict(set)
    for number, tags in enumerate(sentences):
        for start, tag in enumerate(tags):
            if tag.startswith("B-"):
                end = start + 1
                while end < len(tags) and tags[end] == "I-" + tag[2:]:
                    end += 1
                chunks[tag[2:]].add((number, start, end))
    return chunks


def test_ten_thousand_data_sets_score_as_in_conlleval_and_seqeval() -> None:
    random = Random(0)
    for _ in range(10_000):
        gold, given = data_set(random)
        sides = [[entities(tags) for tags in side] for side in (gold, given)]
        totals = entity_counts(*sides, types=TYPES).sum(axis=0)
        values, table = as_floats(entity_metrics(totals)), per_type(totals, types=TYPES)
        assert values["lenient_f1"] == pytest.approx(f1_of(*conlleval(gold, given)))
        wanted, found = strict_chunks(gold), strict_chunks(given)
        counts = {
            name: (len(wanted[name] & found[name]), len(found[name]), len(wanted[name]))
            for name in TYPES
        }
        right, guessed, correct = (sum(column) for column in zip(*counts.values(), strict=True))
        assert values["f1"] == pytest.approx(f1_of(right, guessed, correct))
        assert values["precision"] == pytest.approx(right / guessed if guessed else 0)
        assert values["recall"] == pytest.approx(right / correct if correct else 0)
        each = [f1_of(*counts[name]) for name in TYPES if counts[name][2]]
        assert values["macro_f1"] == pytest.approx(np.mean(each) if each else 0)
        for name in TYPES:
            assert table[name]["f1"] == pytest.approx(f1_of(*counts[name]))
            assert (table[name]["predicted"], table[name]["support"]) == counts[name][1:]


def test_a_repaired_entity_is_one_in_lenient_scores_only() -> None:
    whole, repaired = Entity(0, 2, "PER"), Entity(0, 2, "PER", repaired=True)
    values = entity_scores([[whole]], [[repaired]], types=TYPES).values
    assert (values["f1"], values["precision"], values["lenient_f1"]) == (0.0, 0.0, 1.0)
    both = [whole, Entity(3, 4, "LOC", repaired=True)]
    values = entity_scores([[whole]], [both], types=TYPES).values
    assert (values["f1"], values["precision"]) == (1.0, 1.0)
    assert values["lenient_f1"] == pytest.approx(2 / 3)


def test_span_and_type_must_both_be_right() -> None:
    gold = [[Entity(0, 2, "PER"), Entity(5, 7, "LOC")]]
    for wrong in (Entity(0, 3, "PER"), Entity(1, 2, "PER"), Entity(0, 2, "LOC")):
        values = entity_scores(gold, [[wrong, Entity(5, 7, "LOC")]], types=TYPES).values
        assert (values["precision"], values["recall"], values["f1"]) == (0.5, 0.5, 0.5)


def test_examples_are_not_mixed_and_an_entity_counts_once() -> None:
    one = Entity(0, 2, "PER")
    assert entity_scores([[one], []], [[], [one]], types=TYPES).values["f1"] == 0.0
    assert entity_scores([[one]], [[one, one]], types=TYPES).values["precision"] == 1.0


def test_no_entities_at_all_score_zero() -> None:
    scores = entity_scores([[], []], [[], []], types=TYPES, lengths=[3, 0])
    zero = {name for name, value in scores.values.items() if value == 0.0}
    assert zero == scores.values.keys() - {"character_macro_f1_official"}
    assert scores.values["character_macro_f1_official"] == 1.0
    assert scores.baseline == {}
    assert set(entity_scores([[]], [[]], types=[]).values.values()) == {0.0}
    assert entity_scores([], [], types=TYPES).values["f1"] == 0.0


def test_types_that_are_only_given_do_not_enter_the_macro_score() -> None:
    gold, given = [[Entity(0, 1, "PER")]], [[Entity(0, 1, "PER"), Entity(1, 2, "LOC")]]
    scores = entity_scores(gold, given, types=TYPES)
    assert scores.values["macro_f1"] == 1.0
    assert scores.tables["per_class"]["LOC"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0.0,
        "predicted": 1.0,
    }


# --- characters -----------------------------------------------------------------------------------


def character_values(gold: list[Tags], given: list[Tags]) -> dict[str, float]:
    wanted, found = ([entities(tags) for tags in side] for side in (gold, given))
    rows = character_counts(wanted, found, [len(tags) for tags in gold], types=TYPES)
    return as_floats(character_metrics(rows.sum(axis=0)))


def macro(gold: Tags, given: Tags) -> tuple[float, float]:
    """Over B- and I- classes in gold; and over all, absent ones counting 1."""
    f1 = {}
    for name in LETTERS:
        pairs = [(a == name, b == name) for a, b in zip(gold, given, strict=True)]
        right = sum(a and b for a, b in pairs)
        either = sum(a + b for a, b in pairs)
        f1[name] = 2 * right / either if either else 1.0
    occurring = [value for name, value in f1.items() if name in gold and name != "O"]
    return sum(occurring) / len(occurring) if occurring else 0.0, sum(f1.values()) / len(f1)


def test_ten_thousand_data_sets_of_characters() -> None:
    random = Random(1)
    for number in range(10_000):
        gold, given = data_set(random)
        values = character_values(gold, given)
        flat = [[tag for tags in side for tag in tags] for side in (gold, given)]
        expected = macro(*flat)
        assert values["character_macro_f1"] == pytest.approx(expected[0])
        assert values["character_macro_f1_official"] == pytest.approx(expected[1])
        if number < 100:
            klue = oracle.f1_score(*flat, labels=[*LETTERS], average="macro", zero_division=1)
            assert values["character_macro_f1_official"] == pytest.approx(klue)


def test_characters_that_are_left_out_do_not_count() -> None:
    random = Random(2)
    for _ in range(300):
        gold, given = data_set(random)
        kept = [[random.random() < 0.7 for _ in tags] for tags in gold]
        sides = [[entities(tags) for tags in side] for side in (gold, given)]
        scores = entity_scores(
            *sides,
            types=TYPES,
            lengths=[len(tags) for tags in gold],
            left_out=[[i for i, keep in enumerate(one) if not keep] for one in kept],
        )
        flat = [
            [
                tag
                for tags, one in zip(side, kept, strict=True)
                for tag, keep in zip(tags, one, strict=True)
                if keep
            ]
            for side in (gold, given)
        ]
        expected = macro(*flat)
        assert scores.values["character_macro_f1"] == pytest.approx(expected[0])
        assert scores.values["character_macro_f1_official"] == pytest.approx(expected[1])


# --- data sets ------------------------------------------------------------------------------------


def test_every_score_is_a_function_of_the_totals_and_has_an_interval() -> None:
    random = Random(3)
    pairs = [data_set(random) for _ in range(60)]
    sides: list[Any] = [
        [entities(tags) for pair in pairs for tags in pair[side]] for side in range(2)
    ]
    lengths = [len(tags) for pair in pairs for tags in pair[0]]
    scores = entity_scores(*sides, types=TYPES, lengths=lengths)
    plain = entity_scores(*sides, types=TYPES)
    assert list(plain.values) == ["f1", "precision", "recall", "macro_f1", "lenient_f1"]
    assert plain.values.items() <= scores.values.items()
    assert plain.tables == scores.tables
    assert scores.values == point_values(scores.statistic)
    intervals = bootstrap(scores.statistic, replicates=300)
    assert intervals.keys() == scores.values.keys()
    for low, high in intervals.values():
        assert 0 <= low < high <= 1
    weights = np.random.default_rng(0).integers(0, 3, (2, len(lengths)))
    stacked = scores.statistic.metrics(weights @ scores.statistic.rows)
    for number, weight in enumerate(weights):
        chosen = np.repeat(np.arange(len(lengths)), weight)
        again = entity_scores(
            *([side[i] for i in chosen] for side in sides),
            types=TYPES,
            lengths=[lengths[i] for i in chosen],
        )
        assert again.values == pytest.approx({k: v[number] for k, v in stacked.items()})


def test_what_does_not_fit_is_refused() -> None:
    person = Entity(0, 2, "PER")
    for gold, given in (([[person]], [[]]), ([[]], [[person]])):
        with pytest.raises(ValueError, match="'PER' is not one of the types LOC"):
            entity_scores(gold, given, types=["LOC"])
        with pytest.raises(ValueError, match="0-2 is outside of 1 characters"):
            entity_scores(gold, given, types=TYPES, lengths=[1])
    with pytest.raises(ValueError, match="shorter"):
        entity_scores([[person]], [], types=TYPES)
    with pytest.raises(ValueError, match="shorter"):
        entity_scores([[person]], [[person]], types=TYPES, lengths=[])
    with pytest.raises(IndexError):
        entity_scores([[person]], [[person]], types=TYPES, lengths=[2], left_out=[[2]])
