"""A last layer that is fitted at once: scikit-learn's solution, for whatever the head learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from bertft.heads.fitted import (
    PENALTY,
    SMALL,
    fit_last_layer,
    pass_states_on,
    without_last_layer,
)
from bertft.heads.inherited import last_layer
from bertft.heads.sequence import SequenceHead

IDS = torch.tensor([[2, 10, 11, 12, 3], [2, 20, 21, 22, 3]])


def vectors(count: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)


def fitted(tiny: Path, head: SequenceHead, rows: np.ndarray, targets: torch.Tensor) -> torch.Tensor:
    """Logits of the rows after the fit."""
    model = head.build(tiny)
    fit_last_layer(model, list(rows), targets, head=head)
    _, layer = last_layer(model)
    with torch.no_grad():
        return layer(torch.from_numpy(rows))


def test_it_is_scikit_learns_logistic_regression(tiny):
    from sklearn.linear_model import LogisticRegression

    rows, gold = vectors(40, 32), np.random.default_rng(1).integers(3, size=40)
    found = fitted(tiny, SequenceHead(("a", "b", "c")), rows, torch.from_numpy(gold))
    scaled = rows / np.sqrt((rows**2).sum(axis=1).mean())
    peer = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000)
    expected = peer.fit(scaled, gold).predict_proba(scaled)
    np.testing.assert_allclose(found.softmax(dim=-1).numpy(), expected, atol=2e-3)


def test_several_labels_are_fitted_each_for_itself(tiny):
    from sklearn.linear_model import LogisticRegression

    rows, gold = vectors(40, 32), np.random.default_rng(1).integers(2, size=(40, 3))
    head = SequenceHead(("a", "b", "c"), multi_label=True)
    found = fitted(tiny, head, rows, torch.from_numpy(gold).float())
    scaled = rows / np.sqrt((rows**2).sum(axis=1).mean())
    for column in range(3):
        peer = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000)
        expected = peer.fit(scaled, gold[:, column]).predict_proba(scaled)[:, 1]
        np.testing.assert_allclose(found[:, column].sigmoid().numpy(), expected, atol=2e-3)


def test_weights_of_classes_count(tiny):
    rows, gold = vectors(40, 32), torch.tensor([0] * 36 + [1] * 4)
    even = fitted(tiny, SequenceHead(("a", "b")), rows, gold)
    weighed = fitted(tiny, SequenceHead(("a", "b"), weights=(0.1, 10.0)), rows, gold)
    assert weighed.softmax(dim=-1)[:, 1].mean() > even.softmax(dim=-1)[:, 1].mean() + 0.05


def test_the_pooler_passes_states_on(tiny):
    model = SequenceHead(("a", "b")).build(tiny).eval()
    assert pass_states_on(model)
    with torch.no_grad(), without_last_layer(model):
        read = model(input_ids=IDS).logits
        states = model.base_model(input_ids=IDS).last_hidden_state[:, 0]
    torch.testing.assert_close(read / SMALL, states, atol=0.05, rtol=0.02)
    assert model(input_ids=IDS).logits.shape == (2, 2)


@pytest.mark.parametrize("kind", ["roberta", "distilbert"])
def test_other_heads_pass_them_on_or_stay(kind):
    sizes = {"vocab_size": 40, "num_labels": 2}
    if kind == "roberta":
        config = AutoConfig.for_model(
            kind, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, **sizes,
        )  # fmt: skip
    else:
        config = AutoConfig.for_model(kind, dim=16, n_layers=1, n_heads=2, hidden_dim=16, **sizes)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert pass_states_on(model) == (kind == "roberta")  # DistilBERT has a ReLU there
    if kind == "distilbert":
        after = model.state_dict()
        assert all(torch.equal(value, after[name]) for name, value in before.items())
