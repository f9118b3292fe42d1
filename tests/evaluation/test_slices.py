"""Slices: sums, intervals and tests, against scipy, counts by hand, and data without effect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bertft.evaluation.facets import Facets
from bertft.evaluation.selective import Share
from bertft.evaluation.slices import Facet, Measure, compared, holm

SMALL = st.integers(0, 3)


def shares(right: np.ndarray) -> Measure:
    return Measure("accuracy", right.astype(float), np.ones(len(right)))


def facet(slices: np.ndarray, *, kind: str = "k") -> Facet:
    names = [f"s{i}" for i in range(int(slices.max(initial=-1)) + 1)]
    return Facet(kind, names, np.arange(len(slices)), slices)


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1 are .04 .06 .06 .04, which may not fall again.
    assert holm(np.array([0.03, 0.01, 0.04, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.5, 0.6])).tolist() == [1.0, 1.0]
    assert len(holm(np.array([]))) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(p: list[float]) -> None:
    values = np.array(p)
    found = holm(values)
    assert (found >= values - 1e-12).all()
    assert (found <= np.minimum(1, values * len(values)) + 1e-12).all()
    assert found.min() == pytest.approx(min(1, values.min() * len(values)))


def test_a_slice_of_right_and_wrong_has_wilsons_interval_and_fishers_p() -> None:
    right = np.repeat([True, False, True, False], [30, 20, 90, 10])  # 50 of .6, 100 of .9
    slices = np.repeat([0, 1], [50, 100])
    (one, other) = compared(shares(right), [facet(slices)]).found
    assert (one.own.n, one.own.value, one.rest.value) == (50, 0.6, 0.9)
    assert (one.own.low, one.own.high) == pytest.approx(Share(30, 50).interval)
    exact = stats.fisher_exact([[20, 30], [10, 90]], alternative="greater").pvalue
    assert one.p == pytest.approx(exact)
    assert one.p_holm == pytest.approx(2 * exact)
    assert one.worse
    assert not other.worse


def test_a_ratio_has_the_variance_of_its_residuals() -> None:
    generator = np.random.default_rng(0)
    whole = generator.integers(0, 4, size=400).astype(float)
    part = generator.binomial(whole.astype(int), 0.5).astype(float)
    slices = np.arange(400) % 2
    found = compared(Measure("f1", part, whole), [facet(slices)])
    assert found.silent == (whole == 0).sum()
    assert found.overall.n + found.silent == 400
    one, other = found.found
    own = (slices == 0) & (whole > 0)
    a, b = part[own], whole[own]
    value = a.sum() / b.sum()
    error = np.std(a - value * b, ddof=1) / np.sqrt(own.sum()) / b.mean()
    assert one.own.value == pytest.approx(value)
    assert (one.own.high - one.own.low) / 2 == pytest.approx(1.959964 * error, rel=1e-3)
    assert one.p + other.p == pytest.approx(1)  # of the same difference, the other way round


def test_no_interval_of_f1_goes_beyond_1() -> None:
    part, whole = np.full(60, 2.0), np.full(60, 2.0)
    part[0] = 0.0
    found = compared(Measure("f1", part, whole), [facet(np.repeat([0, 1], 30))])
    assert found.overall.value + 1.96 * 0.0167 > 1
    assert found.overall.high == 1
    errors = Measure("mean absolute error", part, np.ones(60), lower=True)
    assert compared(errors, []).overall.high > 2


def test_an_error_is_worse_where_it_is_larger() -> None:
    generator = np.random.default_rng(0)
    error = np.abs(generator.normal(size=200)) + np.repeat([0.0, 1.0], 100)
    measure = Measure("mean absolute error", error, np.ones(200), lower=True)
    low, high = compared(measure, [facet(np.repeat([0, 1], 100))]).found
    assert (low.worse, high.worse) == (False, True)


def test_slices_and_rests_of_few_are_passed_over() -> None:
    right = np.ones(100, bool)
    found = compared(shares(right), [facet(np.repeat([0, 1], [29, 71]))]).found
    assert found == []
    found = compared(shares(right), [facet(np.repeat([0, 1, 2], [30, 29, 41]))]).found
    assert [one.name for one in found] == ["s0", "s2"]


@given(st.lists(SMALL, min_size=1, max_size=40), st.data())
def test_the_slices_of_a_way_to_slice_add_up(ids: list[int], data: st.DataObject) -> None:
    right = np.array(data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids))))
    found = compared(shares(right), [facet(np.array(ids))], least=0)
    there = [one for one in found.found if one.own.n]
    assert sum(one.own.n for one in there) == found.overall.n == len(ids)
    total = sum(one.own.n * one.own.value for one in there)
    assert total == pytest.approx(right.sum())
    for one in there:
        assert one.own.n + one.rest.n == len(ids)


def test_where_nothing_differs_a_false_alarm_is_rare() -> None:
    """40 slices, 200 times: without Holm about two slices of each would look worse."""
    generator = np.random.default_rng(0)
    alarms = raw = 0
    for _ in range(200):
        right = generator.random(2000) < 0.8
        ways = [facet(generator.integers(8, size=2000), kind=str(i)) for i in range(5)]
        found = compared(shares(right), ways)
        alarms += bool(found.worse)
        raw += any(one.p < 0.05 for one in found.found)
    assert alarms <= 16  # 5 % of 200 are 10
    assert raw > 100


class TestFacets:
    @staticmethod
    def made(texts: list[str], **given: object) -> dict[str, Facet]:
        found = Facets()
        for text in texts:
            known = {"labels": ["a"], "source": "", "unknown": 0.0, "truncated": False}
            found.add(text, negation=True, **(known | given))  # type: ignore[arg-type]
        return {one.kind: one for one in [*found.found(), found.words.facet("word")]}

    @given(st.lists(st.integers(1, 60), min_size=1, max_size=50))
    def test_quarters_of_length_hold_every_example_once(self, lengths: list[int]) -> None:
        ways = self.made(["x" * one for one in lengths])
        if "length" not in ways:  # three quarters are equally long, and the longest
            assert sorted(lengths)[(len(lengths) - 1) // 4] == max(lengths)
            return
        found = ways["length"]
        assert sorted(found.examples.tolist()) == list(range(len(lengths)))
        for name, index in zip(found.names, range(len(found.names)), strict=True):
            inside = [lengths[i] for i in np.flatnonzero(found.slices == index)]
            assert name == f"{min(inside)} to {max(inside)} characters"
            tops = [one for one in lengths if one > max(inside)]
            assert not set(inside) & set(tops)

    def test_what_is_the_same_for_all_is_no_way_to_slice(self) -> None:
        assert set(self.made(["a film", "a good film"])) == {"length", "word"}
        assert "source" not in self.made(["a", "bb"], source="web")

    def test_words_once_each_without_case_and_punctuation(self) -> None:
        found = self.made(["A film, a FILM!", "don't 영화는"])["word"]
        pairs = {
            (int(i), found.names[j]) for i, j in zip(found.examples, found.slices, strict=True)
        }
        assert pairs == {(0, "a"), (0, "film"), (1, "don't"), (1, "영화는")}
        assert len(found.examples) == 4

    @pytest.mark.parametrize("text", [
        "not good", "It isn't bad", "do n't go", "No.", "without a plot", "never", "안 봤다",
        "재미없다", "좋지 않다", "볼 게 아니다", "못 보겠다", "가지 마세요", "보지 말고",
        "이해하지 못했다",
    ])  # fmt: skip
    def test_negation(self, text: str) -> None:
        found = self.made(["a", text])["negation"]
        assert [found.names[index] for index in found.slices] == ["without", "with"]

    @pytest.mark.parametrize("text", [
        "a notable film", "another note", "know", "하지만 좋다", "마지막", "페이지마다",
        "이미지 마케팅", "안내 방송", "편안하다",
    ])  # fmt: skip
    def test_no_negation(self, text: str) -> None:
        assert "negation" not in self.made(["a", text])
