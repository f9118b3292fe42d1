"""Labels: counted, and told where only some splits have them, or few rows."""

from __future__ import annotations

from bertft.checks.labels import FEW, label_findings, majority


def rows(**counts: int) -> list[tuple[str, str]]:
    return [(f"{name} {i}", name) for name, count in counts.items() for i in range(count)]


def test_balanced_splits_have_no_findings(make_split):
    splits = [make_split(name, rows(good=FEW, bad=FEW)) for name in ("train", "dev", "test")]
    assert label_findings(splits) == []
    assert splits[0].label_counts == {"good": FEW, "bad": FEW}


def test_a_label_that_one_split_lacks(make_split):
    train = make_split("train", rows(good=9, bad=9, fair=6))
    dev = make_split("dev", rows(good=2, bad=1, odd=2))
    found = {one.code: one for one in label_findings([train, dev])}
    assert set(found) == {"label-not-in-train", "label-not-in-dev"}
    here = found["label-not-in-train"]
    assert (here.split, here.count, here.severity) == ("dev", 1, "warning")
    assert (here.places[0].line, here.places[0].text) == (4, "'odd', 2 times")
    there = found["label-not-in-dev"]
    assert (there.split, there.places[0].line) == ("train", 19)


def test_a_rare_label_is_one_with_few_rows_of_train(make_split):
    train = make_split("train", rows(good=9, bad=FEW, baad=FEW - 1, god=1))
    [found] = label_findings([train, make_split("dev", rows(good=1, bad=1, baad=1, god=1))])
    assert (found.code, found.count) == ("rare-label", 2)
    assert [place.text for place in found.places] == [f"'baad', {FEW - 1} times", "'god', 1 time"]


def test_the_majority_baseline(make_split):
    assert majority(make_split("dev", rows(good=3, bad=1))) == 0.75
    assert majority(make_split("dev", [])) is None
