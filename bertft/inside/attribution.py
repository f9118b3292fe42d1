"""What an answer rests on, as plain mathematics: a function of embeddings in, shares per token out.

Integrated gradients, attention rollout, shares of words out of those of their pieces, and a test of
whether the words said to matter do. Nothing here knows tasks, tokenizers or models.

Shape legend: L tokens, H width of their embeddings, N inputs at once, n layers, U words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bertft.contracts import FloatArray

TOKENS_AT_ONCE = 4096

Score = Callable[[torch.Tensor], torch.Tensor]
"""Embeddings [N, L, H] -> one number for each input [N]."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What each token adds to a score: ``values`` [L], whose sum should be score - baseline."""

    values: FloatArray
    score: float
    baseline: float

    @property
    def error(self) -> float:
        """How far the sum is from what it should be (completeness, Sundararajan et al. 2017)."""
        return float(self.values.sum()) - (self.score - self.baseline)


def integrated_gradients(
    score: Score, inputs: torch.Tensor, baseline: torch.Tensor, *, steps: int
) -> Attribution:
    """(x - x') times the mean gradient on the straight line from baseline x' to input x.

    Sundararajan, Taly and Yan 2017, equation 1, summed over the width of the embeddings. The
    integral is taken by Gauss-Legendre quadrature, which is exact for scores that are polynomials
    of a degree up to 2 * ``steps`` along the line.

    Args:
        inputs, baseline: embeddings [L, H].
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    places = inputs.new_tensor((nodes + 1) / 2)  # [steps]
    shares = inputs.new_tensor(weights / 2)  # [steps]
    total = torch.zeros_like(inputs)
    for some in torch.split(torch.arange(steps, device=inputs.device), _at_once(inputs)):
        line = baseline + places[some, None, None] * (inputs - baseline)  # [N, L, H]
        line.requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(score(line).sum(), line)
        total += (shares[some, None, None] * gradient).sum(dim=0)
    values = ((inputs - baseline) * total).sum(dim=-1)  # [L]
    ends = scores_of(score, torch.stack([inputs, baseline]))
    return Attribution(values.double().cpu().numpy(), float(ends[0]), float(ends[1]))


def scores_of(score: Score, inputs: torch.Tensor) -> FloatArray:
    """Scores [N] of inputs [N, L, H], a few at a time, without gradients."""
    with torch.no_grad():
        found = [score(some).double().cpu() for some in torch.split(inputs, _at_once(inputs[0]))]
    return torch.cat(found).numpy()


def _at_once(one: torch.Tensor) -> int:
    return max(1, TOKENS_AT_ONCE // max(1, len(one)))


def attention_rollout(attention: FloatArray) -> FloatArray:
    """Where each layer's states [n, L, L] come from, as shares of the input tokens.

    Abnar and Zuidema 2020, section 3: heads are averaged, the residual connection counts as much as
    attention, and layers are multiplied. ``attention`` is [n, heads, L, L]; rows sum to 1.
    """
    length = attention.shape[-1]
    mixed = attention.mean(axis=1, dtype=np.float64) / 2 + np.eye(length) / 2  # [n, L, L]
    mixed /= mixed.sum(axis=-1, keepdims=True)
    rolled = [mixed[0]]
    for layer in mixed[1:]:
        rolled.append(layer @ rolled[-1])
    return np.stack(rolled)


def word_shares(groups: Sequence[Sequence[int]], values: FloatArray) -> FloatArray:
    """What words add up to [U]: the sum of their tokens' values [L].

    A token that several words share is divided between them, so that nothing counts twice.
    """
    count = np.zeros(len(values))
    for group in groups:
        count[list(group)] += 1
    return np.array([float((values[list(one)] / count[list(one)]).sum()) for one in groups])


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How far a score falls when ``deleted`` words go: those that matter most, or any.

    ``top`` is comprehensiveness (DeYoung et al. 2020, section 4), ``random`` the mean over
    ``draws`` random choices of as many words.
    """

    deleted: int
    top: float
    random: float
    draws: int


def faithfulness(
    score: Score,
    inputs: torch.Tensor,
    baseline: torch.Tensor,
    *,
    groups: Sequence[Sequence[int]],
    shares: FloatArray,
    count: int,
    draws: int,
    seed: int = 0,
) -> Faithfulness:
    """Delete the ``count`` words of the largest shares [U], and random ones, by their baseline.

    Args:
        groups: the tokens of each word.
    """
    count = min(count, len(groups))
    best = np.argsort(-shares, kind="stable")[:count]
    random = np.random.default_rng(seed)
    chosen = [best, *(random.permutation(len(groups))[:count] for _ in range(draws))]
    rows = inputs.repeat(len(chosen) + 1, 1, 1)  # [1 + 1 + draws, L, H]
    for row, words in zip(rows[1:], chosen, strict=True):
        tokens = sorted({token for word in words for token in groups[word]})
        row[tokens] = baseline[tokens]
    found = scores_of(score, rows)
    falls = found[0] - found[1:]
    return Faithfulness(count, float(falls[0]), float(falls[1:].mean()), draws)
