"""Vectors of tokens by themselves: an encoder goes in, what it makes of each token of its
vocabulary comes out, in fewer dimensions.

As Model2Vec does it (Tulkens and van Dongen 2024): each token is a text of its own, the mean of its
states is its vector; principal components are kept, and frequent tokens count less (smooth inverse
frequency: Arora, Liang and Ma 2017, ICLR).

Shape legend: V tokens, H hidden width, D dimensions, B tokens at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, PreTrainedTokenizerBase

from bertft.contracts import FloatArray
from bertft.encoder.load import load_model
from bertft.encoder.pieces import Frame

SMOOTH = 1e-3
"""a of a / (a + p): a token of probability a counts half as much as a very rare one."""
BATCH = 1024


def token_vectors(
    folder: Path, tokenizer: PreTrainedTokenizerBase, *, advance: Callable[[int, int], None]
) -> FloatArray:
    """[V, H] of all tokens; rows of special tokens are 0.

    ``advance`` is told how many are done, of how many.
    """
    model = load_model(AutoModel, folder, settings={}).train(False)
    frame = Frame.of(tokenizer)
    before, end = list(frame.before), list(frame.end)
    size = max(tokenizer.get_vocab().values()) + 1
    special = {*tokenizer.all_special_ids}
    ids = [one for one in range(size) if one not in special]
    found = np.zeros((size, int(model.config.hidden_size)), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            inputs = torch.tensor([[*before, one, *end] for one in some])  # [B, 3]
            states = model(input_ids=inputs, attention_mask=torch.ones_like(inputs))
            found[some] = states.last_hidden_state.mean(dim=1).numpy()
            advance(start + len(some), len(ids))
    return found


def principal(vectors: FloatArray, *, dimensions: int) -> FloatArray:
    """[V, D] along the directions in which vectors [V, H] that are not 0 differ most."""
    used = np.abs(vectors).sum(axis=1) > 0
    centred = vectors[used] - vectors[used].mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred)
    kept = directions[:, np.argsort(-values)[:dimensions]]
    found = np.zeros((len(vectors), kept.shape[1]), dtype=np.float32)
    found[used] = centred @ kept
    return found


def inverse_frequency(counts: FloatArray) -> FloatArray:
    """[V] weights of tokens that occur ``counts`` [V] times; each is taken to occur once more."""
    p = (counts + 1) / (counts + 1).sum()
    return np.asarray(SMOOTH / (SMOOTH + p), dtype=np.float32)
