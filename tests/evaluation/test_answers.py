"""Scores of answers against the official scripts, written here as those do it, on odd texts."""

from __future__ import annotations

import json
import math
import re
import string
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from random import Random
from typing import Any

import numpy as np
import pytest

from bertft.evaluation.answers import (
    Scoring,
    best_null_threshold,
    exact_match,
    f1,
    normalize,
    question_counts,
    question_metrics,
)
from bertft.evaluation.intervals import bootstrap, point_values
from bertft.evaluation.scores import question_scores

CASES = 10_000
PIECES = [
    "the", "The", "a", "an", "AN", "a.", "the'", "theatre", "A's", "cat", "Cat", "42", "3.5", ",",
    ".", "-", "--", "'", '"', "‘", "’", "“", "”", "(", ")", "<", ">", "〈", "〉", "《", "》", "–",
    "'()‘’", "《()‘’", "한국", "한국어", "서울", "서울은", "어",
    unicodedata.normalize("NFD", "한국어"),
    "é", "e\u0301", "İ", "ß", "Σ", "🙂", "👩\u200d💻", " ", "  ", "\t", "\n", "\xa0", "\u3000",
    "\x1c", "\u200b", "_", "$", "%", "\x00", "\ud800", "", "x" * 30,
]  # fmt: skip


def text(random: Random, *, most: int = 6) -> str:
    joint = random.choice(["", " ", " "])
    return joint.join(random.choices(PIECES, k=random.randint(0, most)))


def case(random: Random) -> tuple[str, list[str]]:
    """An answer and its golds: unrelated, equal, or one made from the other."""
    most = 200 if random.random() < 0.005 else 6
    golds = [text(random, most=most) for _ in range(random.choice([0, 1, 1, 2, 3]))]
    answer = text(random, most=most)
    if golds and random.random() < 0.6:
        base = random.choice(golds)
        start = random.randint(0, len(base))
        answer = random.choice([base, base.upper(), base[start:], base[:start], base + answer])
    return answer, golds


def cases(seed: int) -> list[tuple[str, list[str]]]:
    random = Random(seed)
    return [case(random) for _ in range(CASES)]


# --- the official scripts -------------------------------------------------------------------------


def white_space_fix(text: str) -> str:
    return " ".join(text.split())


def remove_punc(text: str) -> str:
    exclude = set(string.punctuation)
    return "".join(ch for ch in text if ch not in exclude)


def squad_normalize(s: str) -> str:
    without = re.sub(r"\b(a|an|the)\b", " ", remove_punc(s.lower()))
    return white_space_fix(without)


def korquad_normalize(s: str) -> str:
    for sign in ["'", '"', "《", "》", "<", ">", "〈", "〉", r"\(", r"\)", "‘", "’"]:
        s = re.sub(sign, " ", s)
    return white_space_fix(remove_punc(s.lower()))


def klue_normalize(s: str) -> str:
    pattern = re.compile("[\\'\\\"《》<>〈〉]\\(\\)\\‘\\’")
    return white_space_fix(remove_punc(pattern.sub(" ", s.lower())))


def f1_of(prediction: Sequence[str], truth: Sequence[str]) -> float:
    num_same = sum((Counter(prediction) & Counter(truth)).values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction)
    recall = 1.0 * num_same / len(truth)
    return (2 * precision * recall) / (precision + recall)


def squad1(answer: str, golds: list[str]) -> tuple[float, float]:
    given = squad_normalize(answer)
    return (
        max(float(given == squad_normalize(gold)) for gold in golds),
        max(f1_of(given.split(), squad_normalize(gold).split()) for gold in golds),
    )


def squad2(answer: str, golds: list[str]) -> tuple[float, float]:
    golds = [gold for gold in golds if squad_normalize(gold)] or [""]

    def compute_f1(gold: str) -> float:
        gold_toks, pred_toks = squad_normalize(gold).split(), squad_normalize(answer).split()
        if len(gold_toks) == 0 or len(pred_toks) == 0:
            return int(gold_toks == pred_toks)
        return f1_of(pred_toks, gold_toks)

    exact = max(int(squad_normalize(gold) == squad_normalize(answer)) for gold in golds)
    return exact, max(compute_f1(gold) for gold in golds)


def korquad(answer: str, golds: list[str]) -> tuple[float, float]:
    def characters(text: str) -> list[str]:
        return [char for token in korquad_normalize(text).split() for char in token]

    return (
        max(float(korquad_normalize(answer) == korquad_normalize(gold)) for gold in golds),
        max(f1_of(characters(answer), characters(gold)) for gold in golds),
    )


def klue(answer: str, golds: list[str]) -> tuple[float, float]:
    def rouge_w(pred: str, label: str) -> float:
        if label == "":
            return float(pred == label)
        # The script leaves autojunk on, which changes what it finds in labels from 200 characters.
        matcher = SequenceMatcher(None, pred, label, autojunk=len(label) < 200)
        size = matcher.find_longest_match(0, len(pred), 0, len(label)).size
        precision = size / len(pred) if len(pred) else 0.0
        recall = size / len(label)
        if precision + recall == 0.0:
            return 0.0
        return 2 * (precision * recall) / (precision + recall)

    pred, labels = klue_normalize(answer), [klue_normalize(gold) for gold in golds] or [""]
    return max(float(pred == label) for label in labels), max(rouge_w(pred, x) for x in labels)


Script = Callable[[str, list[str]], tuple[float, float]]


@pytest.mark.parametrize(
    ("scoring", "script", "may_be_empty"),
    [("squad", squad2, True), ("squad", squad1, False), ("korquad", korquad, False),
     ("klue", klue, True)],
)  # fmt: skip
def test_ten_thousand_odd_texts_score_as_in_the_official_script(
    scoring: Scoring, script: Script, may_be_empty: bool
) -> None:
    compared, partial = 0, 0
    for answer, golds in cases(seed=1):
        if not golds and not may_be_empty:
            continue  # the script fails on them
        if script is squad1 and not all(squad_normalize(gold) for gold in golds):
            continue  # the rule of 2.0 holds: see the next test
        expected = script(answer, golds)
        assert exact_match(answer, golds, scoring=scoring) == expected[0], (answer, golds)
        assert f1(answer, golds, scoring=scoring) == expected[1], (answer, golds)
        compared += 1
        partial += 0 < expected[1] < 1
    assert compared > 0.4 * CASES
    assert partial > 0.08 * CASES


@pytest.mark.parametrize(
    ("scoring", "script"),
    [("squad", squad_normalize), ("korquad", korquad_normalize), ("klue", klue_normalize)],
)
def test_texts_are_normalised_as_in_the_official_script(
    scoring: Scoring, script: Callable[[str], str]
) -> None:
    for answer, golds in cases(seed=2):
        for one in (answer, *golds):
            assert normalize(one, scoring=scoring) == script(one), one


def test_squad_golds_that_are_nothing_but_punctuation_are_left_out() -> None:
    """As in 2.0. For 1.1 they matter only to answers that are nothing either."""
    assert exact_match("the.", ["a", "cat"], scoring="squad") == 0.0
    assert squad1("the.", ["a", "cat"]) == (1.0, 0.0)
    assert exact_match("", ["."], scoring="squad") == f1("the", ["."], scoring="squad") == 1.0
    assert exact_match("cat", [".", "cat"], scoring="squad") == 1.0


@pytest.mark.parametrize("scoring", ["squad", "korquad", "klue"])
def test_a_question_without_golds_wants_no_answer(scoring: Scoring) -> None:
    for score in (exact_match, f1):
        assert score("", [], scoring=scoring) == 1.0
        assert score(" .\t", [], scoring=scoring) == 1.0
        assert score("cat", [], scoring=scoring) == 0.0
        assert score("", ["cat"], scoring=scoring) == 0.0


def test_known_values() -> None:
    assert f1("the big cat", ["a cat sat"], scoring="squad") == pytest.approx(0.5)
    assert f1("서울은", ["서울"], scoring="korquad") == pytest.approx(0.8)
    assert f1("대한민국의 서울", ["서울"], scoring="klue") == pytest.approx(2 * 2 / (8 + 2))
    assert f1("가나다", ["다나가"], scoring="korquad") == 1.0
    assert f1("가나다", ["다나가"], scoring="klue") == pytest.approx(1 / 3)
    assert exact_match("《서울》", ["서울"], scoring="korquad") == 1.0
    assert exact_match("《서울》", ["서울"], scoring="klue") == 0.0
    assert exact_match("a b", ["b"], scoring="korquad") == 0.0
    composed = unicodedata.normalize("NFD", "서울")
    assert exact_match(composed, ["서울"], scoring="korquad") == 0.0, "no script composes"


def test_the_longest_common_run_of_long_texts_is_found_at_once() -> None:
    random = Random(0)
    noise = "".join(random.choices("가나다라", k=20_000))
    other = "".join(random.choices("마바사아", k=5000)) + noise[7000:9000]
    start = time.perf_counter()
    assert f1(noise, [other], scoring="klue") == pytest.approx(2 * 2000 / 27_000)
    assert f1("ab" * 3000, ["ba" * 3000], scoring="klue") == pytest.approx(5999 / 6000)
    assert time.perf_counter() - start < 5


def test_an_unknown_scoring_is_refused() -> None:
    unknown: Any = "bleu"
    with pytest.raises(ValueError, match="squad, korquad, klue, not 'bleu'"):
        normalize("", scoring=unknown)


# --- data sets ------------------------------------------------------------------------------------


def data(seed: int, *, size: int, answerable: bool) -> tuple[list[list[str]], list[str]]:
    random = Random(seed)
    pairs = [case(random) for _ in range(size)]
    return [golds or (["x"] if answerable else []) for _, golds in pairs], [a for a, _ in pairs]


@pytest.mark.parametrize("scoring", ["squad", "korquad", "klue"])
def test_scores_of_a_data_set_are_means_over_its_questions(scoring: Scoring) -> None:
    name = "rouge_w" if scoring == "klue" else "f1"
    golds, answers = data(3, size=400, answerable=False)
    exact = [exact_match(a, g, scoring=scoring) for a, g in zip(answers, golds, strict=True)]
    common = [f1(a, g, scoring=scoring) for a, g in zip(answers, golds, strict=True)]
    has = np.array([bool(one) for one in golds])
    scores = question_scores(golds, answers, scoring=scoring)
    assert scores.values == pytest.approx(
        {
            "exact_match": np.mean(exact),
            name: np.mean(common),
            "has_answer_exact_match": np.mean(np.array(exact)[has]),
            f"has_answer_{name}": np.mean(np.array(common)[has]),
            "no_answer_accuracy": np.mean(np.array(exact)[~has]),
        }
    )
    assert scores.values == point_values(scores.statistic)
    assert scores.baseline == question_scores(golds, [""] * 400, scoring=scoring).values
    assert scores.baseline["no_answer_accuracy"] == 1.0
    intervals = bootstrap(scores.statistic, replicates=200)
    for metric, value in scores.values.items():
        assert intervals[metric][0] <= value <= intervals[metric][1]


def test_without_unanswerable_questions_there_is_no_baseline_and_no_split() -> None:
    golds, answers = data(4, size=50, answerable=True)
    scores = question_scores(golds, answers, scoring="squad")
    assert list(scores.values) == ["exact_match", "f1"]
    assert scores.baseline == {}
    assert scores.statistic.rows.shape == (50, 3)


def test_a_missing_answer_is_wrong_even_where_there_is_none_to_give() -> None:
    golds: list[list[str]] = [["cat"], ["cat"], [], []]
    values = question_scores(golds, ["cat", None, "", None], scoring="squad").values
    assert values["exact_match"] == values["f1"] == 0.5
    assert values["no_answer_accuracy"] == values["has_answer_f1"] == 0.5


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 questions have 1 answers"):
        question_counts([["a"], ["b"]], ["a"], scoring="squad")
    with pytest.raises(ValueError, match="neither 3 nor 5"):
        question_metrics(np.zeros(4))


def test_no_questions_score_zero() -> None:
    assert question_scores([], [], scoring="squad").values == {
        "exact_match": 0.0,
        "f1": 0.0,
    }


def test_ten_thousand_questions_are_scored_in_a_second() -> None:
    random = Random(0)
    words = ["".join(random.choices(string.ascii_lowercase, k=5)) for _ in range(1000)]
    golds = [
        [" ".join(random.choices(words, k=random.randint(1, 5))) for _ in range(3)]
        for _ in range(10_570)
    ]
    answers = [random.choice([one[0], one[1] + " more", "other"]) for one in golds]
    start = time.process_time()
    question_scores(golds, answers, scoring="squad")
    assert time.process_time() - start < 2, "0.4 s on a quiet machine"


# --- thresholds and confidence --------------------------------------------------------------------


def mean_f1(threshold: float, margins: Any, gains: Any, empty: Any) -> float:
    return float(np.where(np.asarray(margins) > threshold, empty, gains).mean())


def test_the_null_threshold_is_the_best_of_all() -> None:
    generator = np.random.default_rng(0)
    for _ in range(1000):
        size = generator.integers(1, 9)
        margins = np.round(generator.normal(size=size) * 2 + generator.normal(), 1)
        empty = generator.random(size) < 0.5
        gains = np.where(empty, 0.0, generator.choice([0.0, 0.5, 2 / 3, 1.0], size))
        threshold, best = best_null_threshold(margins, gains, empty)
        tried = np.unique([margins, margins - 0.05, margins + 0.05])
        every = [mean_f1(one, margins, gains, empty) for one in tried]
        assert best == pytest.approx(max(every), abs=1e-12)
        assert mean_f1(threshold, margins, gains, empty) == pytest.approx(best, abs=1e-12)
        assert np.abs(margins - threshold).min() > 0.04 or threshold == 0


def test_the_null_threshold_scores_what_the_official_search_finds() -> None:
    """find_best_thresh of evaluate-v2.0.py, where no two margins are equal."""
    generator = np.random.default_rng(1)
    for _ in range(300):
        margins = generator.normal(size=40)
        empty = generator.random(40) < 0.3
        gains = np.where(empty, 0.0, generator.random(40))
        cur_score = best_score = float(empty.sum())
        for one in sorted(range(40), key=margins.__getitem__):
            cur_score += -1 if empty[one] else gains[one]
            best_score = max(best_score, cur_score)
        assert best_null_threshold(margins, gains, empty)[1] == pytest.approx(best_score / 40)


@pytest.mark.parametrize(
    ("margins", "gains", "empty", "threshold"),
    [
        ([-3.0, 4.0], [1, 0], [0, 1], 0.0),  # 0 parts them as well as the middle would
        ([1.0, 4.0], [1, 0], [0, 1], 2.5),
        ([-4.0, -1.0], [1, 0], [0, 1], -2.5),
        ([2.0, 4.0], [1, 1], [0, 0], 5.0),
        ([-4.0, -2.0], [1, 1], [0, 0], 0.0),
        ([-4.0, -2.0], [0, 0], [1, 1], -5.0),
        ([2.0, 4.0], [0, 0], [1, 1], 0.0),
        ([0.0, 1.0], [1, 0], [0, 1], 0.0),
        ([-1.0, 0.0], [1, 0], [0, 1], -0.5),
        ([-8.0, -6.0, -3.0, -1.0], [1, 0, 1, 0], [0, 1, 0, 1], -2.0),  # as good as -7
        ([1.0, 3.0, 6.0, 8.0], [1, 0, 1, 0], [0, 1, 0, 1], 2.0),  # as good as 7
        ([1.0, 2.0, 3.0], [0, 0, 0], [0, 0, 0], 0.0),
        ([1.0, math.nextafter(1.0, 2.0)], [1, 0], [0, 1], 1.0),
        ([1 + 2**-52, 1 + 2**-51], [1, 0], [0, 1], 1 + 2**-52),  # halfway rounds up
        ([], [], [], 0.0),
    ],
)
def test_where_the_null_threshold_lies(
    margins: list[float], gains: list[int], empty: list[int], threshold: float
) -> None:
    found, best = best_null_threshold(margins, gains, empty)
    assert found == threshold
    if margins:
        assert mean_f1(found, margins, gains, empty) == best


def test_margins_that_are_equal_stay_together() -> None:
    assert best_null_threshold([1.0, 1.0], [1, 0], [0, 1]) == (0.0, 0.5)
    with pytest.raises(ValueError, match="finite"):
        best_null_threshold([math.inf], [1], [0])


@pytest.mark.real
def test_squad_golds_score_themselves(shared: Any) -> None:
    content = json.loads((shared / "data" / "squad" / "dev-v1.1.json").read_text(encoding="utf-8"))
    golds = [
        [answer["text"] for answer in question["answers"]]
        for article in content["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    scores = question_scores(golds, [one[0] for one in golds], scoring="squad")
    assert len(golds) == 10_570
    assert scores.values == {"exact_match": 1.0, "f1": 1.0}
