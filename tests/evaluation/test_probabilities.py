"""Softmax and sigmoid: torch's values, and no overflow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bertft.evaluation.probabilities import log_softmax, sigmoid, softmax

LOGITS = np.random.default_rng(0).normal(0, 20, (5, 7)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 7), (35,)])
def test_they_are_torch_s(shape: tuple[int, ...]) -> None:
    logits = LOGITS.reshape(shape)
    theirs = torch.from_numpy(logits).double()
    assert np.allclose(log_softmax(logits), theirs.log_softmax(-1).numpy(), atol=1e-12)
    assert np.allclose(softmax(logits), theirs.softmax(-1).numpy(), atol=1e-12)
    assert np.allclose(sigmoid(logits), theirs.sigmoid().numpy(), atol=1e-12)
    assert {function(logits).dtype for function in (log_softmax, softmax, sigmoid)} == {
        np.dtype("float64")
    }


def test_large_logits_stay_finite() -> None:
    logits = np.array([[900.0, 900.0], [-900.0, 900.0]], dtype=np.float32)
    assert np.allclose(log_softmax(logits), [[np.log(0.5)] * 2, [-1800.0, 0.0]])
    assert sigmoid(logits).tolist() == [[1.0, 1.0], [0.0, 1.0]]
