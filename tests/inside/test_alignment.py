"""Texts that say the same on both sides: shuffled, with strangers among them, each at most once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import BAD, GOOD, Command

from bertft.inside.alignment import NEIGHBOURS, align
from bertft.inside.embedder import unit_length


@given(st.integers(1, 30), st.integers(0, 10), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_a_shuffle_is_undone(count: int, strangers: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first = unit_length(random.standard_normal((count + strangers, 64)).astype(np.float32))
    order = random.permutation(count)
    noise = 0.02 * random.standard_normal((count, 64)).astype(np.float32)
    second = unit_length(first[:count][order] + noise)
    found = align(first, second, threshold=0.0)
    pairs = {(one.first, one.second) for one in found}
    assert {(int(place), number) for number, place in enumerate(order)} <= pairs
    for side in zip(*pairs, strict=True):
        assert len(set(side)) == len(side)
    assert [one.first for one in found] == sorted(one.first for one in found)


def test_the_margin_is_the_cosine_over_that_of_the_neighbours() -> None:
    random = np.random.default_rng(5)
    first, second = (unit_length(random.random((n, 8)).astype(np.float32)) for n in (9, 7))
    cosines = first @ second.T
    mean = [np.sort(side, axis=1)[:, -NEIGHBOURS:].mean(axis=1) for side in (cosines, cosines.T)]
    for one in align(first, second, threshold=0.0):
        expected = cosines[one.first, one.second]
        assert np.isclose(one.similarity, expected, atol=1e-5)
        around = (mean[0][one.first] + mean[1][one.second]) / 2
        assert np.isclose(one.margin, expected / around, atol=1e-4)
    margins = [one.margin for one in align(first, second, threshold=1.02)]
    assert len(margins) > 0
    assert min(margins) >= 1.02
    assert align(first[:0], second, threshold=0.0) == []


def test_the_command(command: Command, tiny: Path, tmp_path: Path) -> None:
    texts = [*GOOD, *BAD]
    Path(tmp_path / "a.txt").write_text("\n".join(texts) + "\n")
    Path(tmp_path / "b.txt").write_text("\n".join([*reversed(texts), "no no no"]) + "\n")
    code, out, err = command(
        "align", "a.txt", "b.txt", "--threshold", "0", "--model", str(tiny), "--device", "cpu"
    )
    assert code == 0, err
    found = [json.loads(line) for line in out.splitlines()]
    assert all(one["text"] == one["other_text"] for one in found)
    assert list(found[0]) == ["margin", "similarity", "id", "text", "other_id", "other_text"]
    assert (found[0]["id"], found[0]["other_id"]) == ("1", "12")
    assert "12 pairs of a margin of 0 or more; without one: 0 of 12 and 1 of 13 texts" in err


def test_empty_texts_say_nothing(command: Command, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("no,text\n1,good\n2,\n", encoding="utf-8")
    (tmp_path / "none.txt").touch()
    flags = ("--model", str(tiny), "--threshold", "0")
    code, out, err = command("align", "a.csv", "a.csv", *flags)
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["good"]
    assert (code, err.count("a.csv: 1 row without a text: left out")) == (0, 2), err
    code, _, err = command("align", "a.csv", "none.txt", *flags)
    assert (code, "none.txt: no text to compare" in err) == (2, True), err
