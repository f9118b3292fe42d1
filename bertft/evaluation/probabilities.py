"""Logits to probabilities, in float64 and over the last axis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bertft.contracts import FloatArray


def log_softmax(logits: npt.ArrayLike) -> FloatArray:
    """[..., C] log probabilities that add up to 1."""
    values = np.asarray(logits, dtype=np.float64)
    shifted = values - values.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: npt.ArrayLike) -> FloatArray:
    """[..., C] probabilities that add up to 1."""
    return np.asarray(np.exp(log_softmax(logits)))


def sigmoid(logits: npt.ArrayLike) -> FloatArray:
    """[...] 1 / (1 + exp(-x)), which never overflows."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=np.float64))))
