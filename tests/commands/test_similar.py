"""similar: pairs, neighbours and duplicates; the search is exact however it is cut into blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import Command

import bertft
from bertft.inside.embedder import unit_length
from bertft.inside.similarity import Nearest, near_pairs

TEXTS = ["a good film", "the plot is slow", "a good film", "i hate it", "a good good film", "no"]


def ask(command: Command, tiny: Path, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    code, out, err = command("similar", *arguments, "--model", str(tiny), "--device", "cpu")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()], err


@pytest.fixture
def similarity(tiny: Path) -> Any:
    """All cosines [N, N] of TEXTS."""
    units = unit_length(bertft.embed(TEXTS, model=str(tiny), device="cpu"))
    return units @ units.T


def test_a_pair(command: Command, tiny: Path, similarity: Any) -> None:
    (one,), _ = ask(command, tiny, "--pair", TEXTS[0], TEXTS[1], "--json")
    assert one["similarity"] == pytest.approx(similarity[0, 1], abs=1e-5)
    code, out, _ = command("similar", "--pair", "a film", "a film", "--model", str(tiny))
    assert (code, out) == (0, "similarity\ttext\tother\n1.0000\ta film\ta film\n")


def test_a_table_of_pairs_and_its_gold(command: Command, tiny: Path, similarity: Any) -> None:
    rows = [(0, 1, 2.0), (0, 2, 5), (1, 3, 0.5)]
    lines = [
        {"sentence1": TEXTS[a], "sentence2": TEXTS[b], "scores": {"mean": gold}}
        for a, b, gold in rows
    ]
    Path("pairs.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    found, err = ask(command, tiny, "pairs.jsonl", "--gold", "scores.mean")
    values = [similarity[a, b] for a, b, _ in rows]
    assert [one["similarity"] for one in found] == pytest.approx(values, abs=1e-5)
    assert [one["gold"] for one in found] == [2.0, 5.0, 0.5]
    expected = 1.0 if values[0] > values[2] else 0.5
    assert f"3 pairs against 'scores.mean': Spearman {expected:.4f}" in err
    bare, _ = ask(command, tiny, "pairs.jsonl")
    assert "gold" not in bare[0]


def test_the_nearest_to_a_query(command: Command, tiny: Path) -> None:
    Path("texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    found, _ = ask(command, tiny, "texts.txt", "--query", "a good film", "--top-k", "3")
    assert [(one["rank"], one["id"]) for one in found[:2]] == [(1, "1"), (2, "3")]
    assert found[0]["similarity"] == pytest.approx(1.0, abs=1e-5)
    assert len(found) == 3


def test_duplicates(command: Command, tiny: Path, similarity: Any) -> None:
    Path("texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    found, _ = ask(command, tiny, "texts.txt", "--threshold", "0.9")
    pairs = {(int(one["id"]) - 1, int(one["other_id"]) - 1) for one in found}
    expected = {(a, b) for a in range(6) for b in range(a) if similarity[a, b] >= 0.9}
    assert pairs == expected >= {(2, 0)}
    few, err = ask(command, tiny, "texts.txt", "--threshold", "-1", "--top-k", "1")
    assert len(few) == 5
    assert "10 more pairs above -1.0: each text names its 1 nearest (--top-k)" in err


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_blocks_find_what_a_whole_product_finds(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    random = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    values = unit_length(random.normal(size=(count, 3)).astype(np.float32))
    size, most = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    blocks = [values[start : start + size] for start in range(0, count, size)]
    cosines = values @ values.T
    threshold = data.draw(st.sampled_from([0.5, 0.9])) + 1e-4
    for match in near_pairs(blocks, threshold=threshold, most=most):
        row = cosines[match.index, : match.index]
        assert len(match.others) + match.more == (row >= threshold).sum() > 0
        best = np.sort(row[row >= threshold])[::-1][:most]
        assert [value for _, value in match.others] == pytest.approx(best, abs=1e-5)
        for index, value in match.others:
            assert row[index] == pytest.approx(value, abs=1e-5)
    seen = {match.index for match in near_pairs(blocks, threshold=threshold, most=most)}
    assert seen == {i for i in range(count) if (cosines[i, :i] >= threshold).any()}
    nearest = Nearest(values[:2], most)
    for block in blocks:
        nearest.add(block)
    best = -np.sort(-cosines[:2], axis=1)[:, :most]
    assert np.allclose(nearest.scores, best, atol=1e-5)
