"""Every score against scikit-learn or scipy on random cases, and the edges that they leave open."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from bertft.evaluation.correlation import pearson, regression_metrics, regression_moments, spearman
from bertft.evaluation.metrics import (
    as_floats,
    class_counts,
    cohen_kappa,
    confusion,
    majority_baseline,
    multi_label_metrics,
    multilabel_counts,
    per_class,
    ratio,
    single_label_metrics,
)

Array = np.ndarray[Any, Any]
Case = tuple[int, Array, Array]
COLUMNS = ("precision", "recall", "f1")

# scikit-learn 1.9 warns when it builds a confusion matrix of one class, which we want to compare.
ONE_CLASS_ONLY = pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")


@st.composite
def class_ids(draw: st.DrawFn) -> Case:
    """Classes, gold [N] and predictions [N]; few classes are used, so that many are absent."""
    classes = draw(st.integers(1, 7))
    used = st.integers(0, draw(st.integers(0, classes - 1)))
    pairs = draw(st.lists(st.tuples(used, st.integers(0, classes - 1)), min_size=1, max_size=25))
    gold, predicted = np.array(pairs).T
    return (classes, gold, predicted) if draw(st.booleans()) else (classes, predicted, gold)


@st.composite
def label_sets(draw: st.DrawFn) -> Case:
    """Classes, gold [N, C] and predictions [N, C]: dense, sparse or empty on either side."""
    classes, examples = draw(st.integers(2, 6)), draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shares = [draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])) for _ in range(2)]
    gold, predicted = (generator.random((examples, classes)) < share for share in shares)
    return classes, gold, np.where(draw(st.booleans()), gold, predicted)


def single(gold: Any, predicted: Any, *, classes: int) -> dict[str, float]:
    return as_floats(
        single_label_metrics(class_counts(gold, predicted, classes=classes).sum(axis=0))
    )


def multi(gold: Any, predicted: Any) -> dict[str, float]:
    return as_floats(multi_label_metrics(multilabel_counts(gold, predicted).sum(axis=0)))


def averaged(gold: Array, predicted: Array, average: str) -> list[Any]:
    return list(
        oracle.precision_recall_fscore_support(gold, predicted, average=average, zero_division=0)
    )


@ONE_CLASS_ONLY
@settings(max_examples=120, deadline=None)
@given(case=class_ids())
def test_single_label_scores_are_those_of_scikit_learn(case: Case) -> None:
    classes, gold, predicted = case
    precision, recall, f1, _ = averaged(gold, predicted, "macro")
    expected = {
        "accuracy": oracle.accuracy_score(gold, predicted),
        "macro_f1": f1,
        "micro_f1": averaged(gold, predicted, "micro")[2],
        "weighted_f1": averaged(gold, predicted, "weighted")[2],
        "mcc": oracle.matthews_corrcoef(gold, predicted),
        "macro_precision": precision,
        "macro_recall": recall,
    }
    assert single(gold, predicted, classes=classes) == pytest.approx(expected, abs=1e-12)
    matrix = oracle.confusion_matrix(gold, predicted, labels=list(range(classes)))
    assert np.array_equal(confusion(gold, predicted, classes=classes), matrix)


@settings(max_examples=100, deadline=None)
@given(case=label_sets())
def test_multi_label_scores_are_those_of_scikit_learn(case: Case) -> None:
    _, gold, predicted = case
    expected = {
        f"{average}_{name}": value
        for average in ("micro", "macro")
        for name, value in zip(COLUMNS, averaged(gold, predicted, average)[:3], strict=True)
    }
    expected["weighted_f1"] = averaged(gold, predicted, "weighted")[2]
    expected["subset_accuracy"] = oracle.accuracy_score(gold, predicted)
    assert multi(gold, predicted) == pytest.approx(expected, abs=1e-12)


def gorodkin(gold: Array, predicted: Array, *, classes: int) -> float:
    """R_K as it was defined: the correlation of two indicator matrices, each column centred."""
    x, y = np.eye(classes)[gold], np.eye(classes)[predicted]
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = math.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale > 1e-9 else 0.0


def test_three_thousand_cases_of_classes_in_one_call_of_scikit_learn() -> None:
    """Case number m uses the class ids from 6 m on, so that all cases are one data set."""
    generator = np.random.default_rng(0)
    names = list("abcdef")
    cases = []
    for case in range(3000):
        used = generator.integers(1, 7, 2)
        size = generator.integers(1, 15)
        gold, predicted = (generator.integers(0, high, size) for high in used)
        cases.append((6 * case, gold, np.where(generator.random(size) < 0.4, gold, predicted)))
    gold = np.concatenate([first + gold for first, gold, _ in cases])
    predicted = np.concatenate([first + predicted for first, _, predicted in cases])
    columns = oracle.precision_recall_fscore_support(
        gold, predicted, labels=np.arange(6 * len(cases)), zero_division=0
    )
    for first, gold, predicted in cases:
        expected = [column[first : first + 6] for column in columns]
        table = per_class(class_counts(gold, predicted, classes=6).sum(axis=0), names=names)
        for name, values in zip((*COLUMNS, "support"), expected, strict=True):
            assert np.allclose([table[one][name] for one in names], values, rtol=1e-12)
        assert sum(table[one]["predicted"] for one in names) == len(gold)
        scores = single(gold, predicted, classes=6)
        occurring = np.union1d(gold, predicted)
        for name, values in zip(COLUMNS, expected[:3], strict=True):
            assert math.isclose(scores[f"macro_{name}"], values[occurring].mean(), abs_tol=1e-12)
        weighted = np.average(expected[2], weights=expected[3])
        assert math.isclose(scores["weighted_f1"], weighted, abs_tol=1e-12)
        assert math.isclose(scores["accuracy"], np.mean(gold == predicted))
        assert math.isclose(scores["mcc"], gorodkin(gold, predicted, classes=6), abs_tol=1e-9)


def test_three_thousand_cases_of_label_sets_in_one_call_of_scikit_learn() -> None:
    """Case number m has the columns from 4 m on."""
    generator = np.random.default_rng(0)
    shares = np.repeat(generator.choice([0.0, 0.1, 0.5, 1.0], (2, 3000)), 4, axis=1)
    gold, predicted = (generator.random((9, 12_000)) < share for share in shares)
    columns = oracle.precision_recall_fscore_support(gold, predicted, zero_division=0)
    for first in range(0, 12_000, 4):
        block = slice(first, first + 4)
        totals = multilabel_counts(gold[:, block], predicted[:, block]).sum(axis=0)
        table = per_class(totals, names="wxyz")
        scores = as_floats(multi_label_metrics(totals))
        for name, values in zip((*COLUMNS, "support"), columns, strict=True):
            assert np.allclose([table[one][name] for one in "wxyz"], values[block], rtol=1e-12)
            if name != "support":
                assert math.isclose(scores[f"macro_{name}"], values[block].mean(), abs_tol=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.integers(-3, 3), st.floats(-1e3, 1e3, width=16)), min_size=2, max_size=30
    ),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_correlations_are_those_of_scipy(pairs: list[tuple[int, float]], offset: float) -> None:
    gold, predicted = np.array(pairs, dtype=np.float64).T + offset
    if np.ptp(gold) == 0 or np.ptp(predicted) == 0:
        assert pearson(gold, predicted) == spearman(gold, predicted) == 0.0
        return
    if np.ptp(predicted) > 1e-3:  # closer than that, 1e6 leaves too few digits for either
        assert pearson(gold, predicted) == pytest.approx(
            stats.pearsonr(gold, predicted).statistic, abs=1e-6
        )
    assert spearman(gold, predicted) == pytest.approx(
        stats.spearmanr(gold, predicted).statistic, abs=1e-10
    )


@pytest.mark.parametrize("values", [[], [1.5], [0.1] * 10, [1e300] * 3])
def test_correlation_of_constants_is_zero(values: list[float]) -> None:
    other = list(range(len(values)))
    for gold, predicted in ((values, other), (other, values), (values, values)):
        assert pearson(gold, predicted) == 0.0
        assert spearman(gold, predicted) == 0.0


def test_correlation_of_huge_and_tiny_numbers() -> None:
    gold = [1.0, 2.0, 3.0, 5.0]
    for scale in (1e-300, 1e300):
        scaled = [scale * value for value in gold]
        assert pearson(gold, scaled) == pytest.approx(1.0)
        assert pearson(gold, [-value for value in scaled]) == pytest.approx(-1.0)
    assert spearman(gold, [1e-300, 1e300, 1e301, 1e302]) == pytest.approx(1.0)


def test_resampled_correlations_follow_the_resample() -> None:
    generator = np.random.default_rng(0)
    gold = np.round(generator.normal(size=300) * 2)
    predicted = gold + generator.normal(size=300)
    rows = regression_moments(gold, predicted)
    drawn = [generator.integers(300, size=300) for _ in range(200)]
    ours = regression_metrics(np.stack([rows[index].sum(axis=0) for index in drawn]))
    again = [
        (stats.pearsonr(gold[i], predicted[i])[0], spearman(gold[i], predicted[i])) for i in drawn
    ]
    exact_pearson, exact_spearman = np.array(again).T
    assert np.allclose(ours["pearson"], exact_pearson, atol=1e-10)
    assert np.corrcoef(ours["spearman"], exact_spearman)[0, 1] > 0.97
    assert np.std(ours["spearman"]) == pytest.approx(np.std(exact_spearman), rel=0.05)


def test_a_resample_with_one_gold_value_has_no_correlation() -> None:
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 6, 300) / 7
    rows = regression_moments(gold, gold + generator.normal(size=300))
    for value in np.unique(gold):
        totals = np.cumsum(rows[gold == value], axis=0)
        assert not regression_metrics(totals)["pearson"].any()


@pytest.mark.parametrize(
    ("gold", "predicted", "mcc"),
    [
        ([0, 1, 2, 0], [0, 1, 2, 0], 1.0),
        ([0, 1, 0, 1], [1, 0, 1, 0], -1.0),
        ([0, 1, 2, 0], [1, 1, 1, 1], 0.0),
        ([1, 1, 1, 1], [0, 1, 2, 0], 0.0),
        ([1, 1], [1, 1], 0.0),
        ([2], [2], 0.0),
        ([], [], 0.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], 0.0),
        ([1, 1, 1, 0], [1, 1, 0, 0], 1 / math.sqrt(3)),
    ],
)
def test_mcc_edges(gold: list[int], predicted: list[int], mcc: float) -> None:
    assert single(gold, predicted, classes=3)["mcc"] == pytest.approx(mcc)


def test_mcc_does_not_leave_its_range_by_rounding() -> None:
    right, wrong = np.meshgrid(np.arange(1.0, 60), np.arange(1.0, 60))
    zero, size = np.zeros_like(right), right + wrong
    perfect = np.stack([right, wrong, right, wrong, right, wrong, size], axis=-1)  # [59, 59, 7]
    reversed_ = np.stack([zero, zero, right, wrong, wrong, right, size], axis=-1)
    assert single_label_metrics(perfect)["mcc"] == pytest.approx(1.0)
    assert single_label_metrics(perfect)["mcc"].max() == 1.0
    assert single_label_metrics(reversed_)["mcc"].min() == -1.0


def test_mcc_of_a_million_examples_keeps_its_digits() -> None:
    totals = np.array([499_000, 499_000, 500_000, 500_000, 500_000, 500_000, 1_000_000.0])
    assert single_label_metrics(totals)["mcc"] == pytest.approx(0.996, abs=1e-12)


def test_classes_that_occur_nowhere_do_not_lower_macro_scores_of_single_labels() -> None:
    assert single([0, 1], [0, 1], classes=5)["macro_f1"] == 1.0
    assert single([0, 0], [0, 3], classes=5)["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_labels_that_occur_nowhere_lower_macro_scores_of_label_sets() -> None:
    assert multi([[1, 0]], [[1, 0]])["macro_f1"] == 0.5


def test_no_examples_score_zero() -> None:
    assert set(single([], [], classes=2).values()) == {0.0}
    assert set(multi(np.zeros((0, 3)), np.zeros((0, 3))).values()) == {0.0}
    assert set(majority_baseline([], classes=2).values()) == {0.0}


@settings(max_examples=50, deadline=None)
@given(case=class_ids(), seed=st.integers(0, 1000))
def test_scores_of_stacked_totals_are_those_of_each(case: Case, seed: int) -> None:
    classes, gold, predicted = case
    rows = class_counts(gold, predicted, classes=classes)
    weights = np.random.default_rng(seed).integers(0, 3, (2, 3, len(rows)))
    stacked = single_label_metrics(weights @ rows)
    for i, j in np.ndindex(2, 3):
        repeated = np.repeat(np.arange(len(rows)), weights[i, j])
        one = single(gold[repeated], predicted[repeated], classes=classes)
        assert {name: values[i, j] for name, values in stacked.items()} == pytest.approx(one)


@settings(max_examples=50, deadline=None)
@given(case=class_ids())
def test_majority_baseline_of_classes(case: Case) -> None:
    classes, gold, _ = case
    most = np.bincount(gold).argmax()
    baseline = majority_baseline(gold, classes=classes)
    assert baseline == pytest.approx(single(gold, np.full(len(gold), most), classes=classes))
    assert baseline["accuracy"] == pytest.approx(np.mean(gold == most))
    assert baseline["mcc"] == 0.0


def test_majority_baseline_of_label_sets() -> None:
    gold = np.array([[0, 1, 0], [0, 1, 1], [1, 1, 0], [0, 0, 0]])
    baseline = majority_baseline(gold, classes=3)
    assert baseline == multi(gold, [[0, 1, 0]] * 4)
    assert baseline["subset_accuracy"] == 0.25
    assert baseline["micro_f1"] == pytest.approx(2 * 3 / (4 + 5))


def test_ratio_of_zero_by_zero_is_zero() -> None:
    assert ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist() == [0.25, 0.0]
    assert ratio(np.array(3.0), np.array([2.0, 0.0])).tolist() == [1.5, 0.0]


def test_a_hundred_thousand_examples_of_77_classes_fit_in_memory() -> None:
    generator = np.random.default_rng(0)
    gold, predicted = generator.integers(0, 77, (2, 100_000))
    rows = class_counts(gold, predicted, classes=77)
    assert rows.nbytes < 100e6
    expected = oracle.f1_score(gold, predicted, average="macro")
    totals = rows.sum(axis=0, dtype=np.float64)
    assert single_label_metrics(totals)["macro_f1"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [([0, 1], [0]), ([0, 2], [0, 1]), ([0, -1], [0, 1]), ([0.0, 1.0], [0, 1]), ([[0]], [[1]])],
)
def test_impossible_class_ids_are_refused(gold: Any, predicted: Any) -> None:
    for first, second in ((gold, predicted), (predicted, gold)):
        with pytest.raises(ValueError, match=r"class ids|shape"):
            class_counts(first, second, classes=2)
        with pytest.raises(ValueError, match=r"class ids|shape"):
            confusion(first, second, classes=2)


@pytest.mark.parametrize(
    ("gold", "predicted"), [([0, 1], [0, 1]), ([[0, 2]], [[0, 1]]), ([[0, 1]], [[0, 1], [1, 1]])]
)
def test_impossible_label_sets_are_refused(gold: Any, predicted: Any) -> None:
    with pytest.raises(ValueError, match=r"label sets|shape"):
        multilabel_counts(gold, predicted)


def test_totals_names_and_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="totals of shape"):
        single_label_metrics(np.zeros(6))
    with pytest.raises(ValueError, match="names do not fit"):
        per_class(np.zeros(7), names=["a"])
    with pytest.raises(ValueError, match="columns"):
        majority_baseline([[0, 1]], classes=3)
    with pytest.raises(ValueError, match="finite"):
        pearson([1.0, math.nan], [1.0, 2.0])


def test_kappa_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    for classes in (2, 5):
        one, other = generator.integers(classes, size=(2, 60))
        other = np.where(generator.random(60) < 0.5, one, other)
        expected = oracle.cohen_kappa_score(one, other)
        assert cohen_kappa(one, other, classes=classes) == pytest.approx(expected)
    assert cohen_kappa([1, 1], [1, 1], classes=2) == 1.0
