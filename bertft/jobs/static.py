"""A static model learns: token ids with a teacher's probabilities go in, its weights come out.

Vectors and weights of the tokens that occur are learned with the head; those of all others stay as
the encoder told them. The epoch of the lowest loss on held-out texts is kept.

Shape legend: V tokens, S tokens that occur, D dimensions, K hidden units, C labels, N texts, T
tokens of a batch, B texts of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bertft.contracts import Encoded, FloatArray
from bertft.engines.on_static import StaticWeights
from bertft.evaluation.metrics import IdArray
from bertft.settings import StaticSettings

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Taught:
    """Texts as token ids, and what a teacher says of them: probabilities [N, C]."""

    encoded: Sequence[Encoded]
    targets: FloatArray


class _Model(nn.Module):
    """What on_static.py computes, with weights of tokens apart from their vectors."""

    def __init__(
        self, vectors: FloatArray, weights: FloatArray, *, hidden: int, labels: int
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.tensor(vectors))  # [S, D]
        self.log_weights = nn.Parameter(torch.tensor(weights).clamp_min(1e-6).log())  # [S]
        self.hidden = nn.Linear(vectors.shape[1], hidden)
        self.output = nn.Linear(hidden, labels)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """[B, C] of flat ids [T]; texts begin at offsets [B]."""
        weights = self.log_weights.exp()[ids]
        sums = functional.embedding_bag(
            ids, self.vectors, offsets, mode="sum", per_sample_weights=weights
        )
        inner = self.hidden(functional.normalize(sums, dim=1))
        logits: torch.Tensor = self.output(functional.relu(inner))
        return logits


def learn_static(
    vectors: FloatArray,
    weights: FloatArray,
    taught: Taught,
    held: Taught,
    *,
    settings: StaticSettings,
    several: bool,
    seed: int,
    advance: Advance,
) -> StaticWeights:
    """Learn from ``taught``; ``held`` tells when to stop.

    Args:
        vectors: [V, D] of all tokens, 0 for special ones, which keep the weight 0.
        weights: [V] of all tokens.
        several: a text may have several labels: each is learned by itself.
        advance: is told how many epochs are done, of how many.
    """
    torch.manual_seed(seed)
    seen = np.unique(np.concatenate([np.asarray(one.input_ids) for one in taught.encoded]))
    seen = seen[np.abs(vectors[seen]).sum(axis=1) > 0]
    rows = np.zeros(len(vectors), dtype=np.int64)  # V -> S; what was never seen is row 0 ...
    rows[seen] = np.arange(1, len(seen) + 1)
    own = np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors[seen]])
    model = _Model(
        own,
        np.concatenate([[0.0], weights[seen]]).astype(np.float32),
        hidden=settings.hidden,
        labels=taught.targets.shape[1],
    )
    batches = [_flat(one, rows) for one in (taught, held)]
    _fit(model, *batches, settings=settings, several=several, seed=seed, advance=advance)
    with torch.no_grad():
        learned = (model.vectors * model.log_weights.exp()[:, None])[1:].numpy()
    all_vectors = vectors * weights[:, None]
    all_vectors[seen] = learned
    arrays = [model.hidden.weight.T, model.hidden.bias, model.output.weight.T, model.output.bias]
    return StaticWeights(all_vectors, *(one.detach().numpy() for one in arrays))


@dataclass(frozen=True, slots=True)
class _Flat:
    """Ids of all texts in one, with the first of each text, and one behind the last."""

    ids: torch.Tensor
    bounds: IdArray
    targets: torch.Tensor

    def batch(self, chosen: IdArray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        parts = [self.ids[self.bounds[one] : self.bounds[one + 1]] for one in chosen]
        lengths = torch.tensor([len(one) for one in parts])
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)[:-1]])
        return torch.cat(parts), offsets, self.targets[torch.from_numpy(chosen)]


def _flat(taught: Taught, rows: IdArray) -> _Flat:
    ids = [rows[np.asarray(one.input_ids)] for one in taught.encoded]
    ids = [one[one > 0] if (one > 0).any() else np.zeros(1, np.int64) for one in ids]
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in ids])])
    targets = torch.tensor(taught.targets, dtype=torch.float32)
    return _Flat(torch.from_numpy(np.concatenate(ids)), bounds, targets)


def _fit(
    model: _Model,
    taught: _Flat,
    held: _Flat,
    *,
    settings: StaticSettings,
    several: bool,
    seed: int,
    advance: Advance,
) -> None:
    """Adam, epoch by epoch, until the loss on ``held`` has not fallen for ``patience`` of them."""
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    order = np.random.default_rng(seed)
    best, best_loss, waited = copy.deepcopy(model.state_dict()), np.inf, 0
    for epoch in range(settings.epochs):
        for chosen in _batches(order.permutation(len(taught.targets)), settings.batch_size):
            ids, offsets, targets = taught.batch(chosen)
            loss = _loss(model(ids, offsets), targets, several=several)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
            optimizer.step()
        found = _held_loss(model, held, several=several)
        waited = 0 if found < best_loss else waited + 1
        if found < best_loss:
            best, best_loss = copy.deepcopy(model.state_dict()), found
        advance(epoch + 1, settings.epochs)
        if waited >= settings.patience:
            break
    model.load_state_dict(best)


def _batches(order: IdArray, size: int) -> list[IdArray]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _held_loss(model: _Model, held: _Flat, *, several: bool) -> float:
    total = 0.0
    with torch.no_grad():
        for chosen in _batches(np.arange(len(held.targets)), 1024):
            ids, offsets, targets = held.batch(chosen)
            total += float(_loss(model(ids, offsets), targets, several=several)) * len(chosen)
    return total / len(held.targets)


def _loss(logits: torch.Tensor, targets: torch.Tensor, *, several: bool) -> torch.Tensor:
    if several:
        return functional.binary_cross_entropy_with_logits(logits, targets)
    return functional.cross_entropy(logits, targets)
