"""What holds for every head: a packed batch learns and answers as a padded one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bertft.contracts import Encoded, FloatArray, Head
from bertft.encoder.load import load_tokenizer
from bertft.encoder.packing import Packer, Padder, choose_batcher

SameCheck = Callable[[Head, Sequence[Encoded], Callable[[Encoded], tuple[int, ...]]], None]


def _learn(model: Any, batcher: Any, head: Head, encoded: Sequence[Encoded]) -> tuple[float, list]:
    """Loss over count, and the gradients of all parameters."""
    batch = batcher(encoded, range(len(encoded)), head=head)
    model.zero_grad()
    loss = head.loss(model(**batch.inputs), batch.targets) / head.count(batch.targets)
    loss.backward()
    return float(loss.detach()), [p.grad.clone() for p in model.parameters() if p.grad is not None]


def _rows(model: Any, batcher: Any, head: Head, encoded: Sequence[Encoded]) -> list[FloatArray]:
    batch = batcher(encoded, range(len(encoded)), head=None)
    with torch.inference_mode():
        rows = head.split(model(**batch.inputs), batch)
    return [row for _, row in sorted(zip(batch.encoded, rows, strict=True), key=lambda one: one[0])]


@pytest.fixture
def packed_is_padded(tiny: Path) -> SameCheck:
    """Asserts equal loss, gradients and logits (1e-5); ``shape`` is that of one's logits."""

    def check(
        head: Head, encoded: Sequence[Encoded], shape: Callable[[Encoded], tuple[int, ...]]
    ) -> None:
        torch.manual_seed(0)
        model = head.build(tiny).eval()
        padder = Padder(0, 0)
        expected, gradients = _learn(model, padder, head, encoded)
        expected_rows = _rows(model, padder, head, encoded)
        packer = choose_batcher(model, load_tokenizer(tiny), head=head)
        assert isinstance(packer, Packer)
        found, packed_gradients = _learn(model, packer, head, encoded)
        assert found == pytest.approx(expected, abs=1e-5)
        for one, other in zip(gradients, packed_gradients, strict=True):
            assert float((one - other).abs().max()) < 1e-5
        rows = _rows(model, packer, head, encoded)
        for one, row, other in zip(encoded, expected_rows, rows, strict=True):
            assert row.shape == other.shape == shape(one)
            assert np.abs(row - other).max() < 1e-5

    return check
