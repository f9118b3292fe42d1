"""Word vectors from counts: which tokens are near, and what is factorised."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch

from bertft.encoder.counted import (
    WINDOW,
    Table,
    count_near,
    counted_vectors,
    positive_information,
)


def texts(*, words: int = 90, count: int = 200) -> list[list[int]]:
    draw = random.Random(1)
    return [
        [draw.randrange(5, words) for _ in range(draw.randint(1, 50))] for _ in range(count)
    ] + [[]]


def dense(table: Table) -> np.ndarray:
    found = np.zeros((table.vocabulary, table.vocabulary))
    found[table.places] = table.values
    assert (np.diff(table.keys) > 0).all()
    assert table.for_products().to_dense().numpy() == pytest.approx(found, rel=1e-6)
    return found


def test_information_is_that_of_its_definition() -> None:
    some = texts()
    near = np.zeros((100, 100))
    for text in some:
        for at, one in enumerate(text):
            for other in text[max(0, at - WINDOW) : at]:
                near[one, other] += 1
                near[other, one] += 1
    found = count_near(some, 100)
    assert dense(found) == pytest.approx(near)
    told = dense(positive_information(found))
    contexts = near.sum(axis=0) ** 0.75 / (near.sum(axis=0) ** 0.75).sum()
    for row, column in ((5, 6), (17, 80), (44, 44), (3, 9)):
        p = near[row, column] / max(1, near[row].sum())
        expected = max(0, math.log(p / contexts[column])) if p else 0
        assert told[row, column] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_products_of_vectors_come_near_the_information() -> None:
    """With nearly all dimensions the factors give the table back, but for scale and mean."""
    some = texts()
    told = torch.from_numpy(dense(positive_information(count_near(some, 100))))
    vectors = counted_vectors(some, vocabulary=100, width=60, seed=0)
    assert vectors is not None
    assert vectors.shape == (100, 60)
    there = vectors.abs().sum(dim=1) > 0
    assert there.tolist() == [5 <= token < 90 for token in range(100)]
    assert (vectors[there] ** 2).mean(dim=1) == pytest.approx(torch.ones(85).numpy(), rel=1e-4)
    exact = torch.linalg.svd(told)
    assert exact.S[59] > 0
    full = exact.U[:, :60] * exact.S[:60].sqrt()
    full[there] -= full[there].mean(dim=0)
    likeness = [torch.nn.functional.normalize(one[there], dim=1) for one in (vectors, full)]
    grams = [(one @ one.T)[~torch.eye(85, dtype=torch.bool)] for one in likeness]
    assert torch.corrcoef(torch.stack(grams))[0, 1] > 0.9


def test_nothing_is_near_across_texts() -> None:
    apart: list[list[int]] = [[5], [6], [], [7]]
    assert len(count_near(apart, 10).keys) == 0
    assert counted_vectors(apart, vocabulary=10, width=4, seed=0) is None
    assert counted_vectors([], vocabulary=10, width=4, seed=0) is None


def test_the_seed_alone_is_drawn_from() -> None:
    torch.manual_seed(1)
    one = counted_vectors(texts(), vocabulary=100, width=20, seed=7)
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == after  # the caller's generator is left as it was
    other = counted_vectors(texts(), vocabulary=100, width=20, seed=7)
    assert one is not None
    assert other is not None
    assert torch.equal(one, other)
