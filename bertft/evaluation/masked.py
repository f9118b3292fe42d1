"""Scores of masked language models: what was hidden in each document in, Scores out.

Shape legend: N documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bertft.contracts import Answer, FloatArray
from bertft.evaluation.intervals import point_values
from bertft.evaluation.statistic import Scores, Statistic


def masked_scores(answers: Sequence[Answer], *, unigrams: Sequence[int]) -> Scores:
    """``mlm_loss`` in nats per masked token, its exponential, accuracy; accuracy of pairs, if any.

    The baseline knows how often tokens stand in the training text (``unigrams``), nothing of the
    context: its loss is the cross-entropy, its accuracy that of the most frequent token.
    """
    rows = np.array([_counts(one) for one in answers], dtype=np.float64)  # [N, 5]
    pairs = np.array([kind for one in answers for kind in one["pairs"]])
    statistic = Statistic(rows, partial(_metrics, pairs=bool(len(pairs))))
    shares = np.array(unigrams, dtype=np.float64) / max(1, sum(unigrams))
    tokens = np.array([token for one in answers for token in one["tokens"]], dtype=np.int64)
    baseline: dict[str, float] = {}
    if len(tokens) and len(shares) and (shares[tokens] > 0).all():
        loss = -float(np.log(shares[tokens]).mean())
        right = float((tokens == shares.argmax()).mean())
        baseline = {"mlm_loss": loss, "mlm_accuracy": right, "perplexity": float(np.exp(loss))}
    if len(pairs):
        baseline["nsp_accuracy"] = max(float(pairs.mean()), 1 - float(pairs.mean()))
    return Scores(partial(point_values, statistic), statistic, baseline=baseline)


def _counts(answer: Answer) -> list[float]:
    """[5]: loss, tokens that were found and all; pairs that were told and all."""
    told = [a == b for a, b in zip(answer["pairs"], answer["pairs_given"], strict=True)]
    losses = answer["log_likelihoods"]
    return [-sum(losses), sum(answer["right"]), len(losses), sum(told), len(told)]


def _metrics(totals: FloatArray, *, pairs: bool) -> dict[str, FloatArray]:
    tokens = np.maximum(totals[..., 2], 1)
    loss = totals[..., 0] / tokens
    told = totals[..., 3] / np.maximum(totals[..., 4], 1)
    metrics: dict[str, FloatArray] = {"mlm_loss": loss, "mlm_accuracy": totals[..., 1] / tokens}
    if pairs:
        metrics["nsp_accuracy"] = told
    return metrics | {"perplexity": np.exp(loss)}
