"""Texts that no label fits: logits go in; scores that order texts by how little any label fits, the
threshold for a share of refusals or for the best F1, and figures where gold is known come out.

The score is the entropy of the probabilities as the model learned them, from 0 to 1: where no label
stands out, it is high. It was chosen on intents held out of training rows (benchmarks/README.md),
where it was better than the highest probability and the energy of the logits.

Shape legend: N texts, C labels, I texts in scope, O texts out of scope.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bertft.evaluation.metrics import BoolArray, best_threshold
from bertft.evaluation.probabilities import log_softmax
from bertft.evaluation.selective import Share

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

REFUSED = 0.05
"""Share of dev's texts that may be refused, where none of them is out of scope."""


def entropy(logits: npt.ArrayLike) -> FloatArray:
    """[...] from logits [..., C], as a share of the entropy of even probabilities; the higher, the
    less any label fits."""
    log_p = log_softmax(logits)
    return np.asarray(-(np.exp(log_p) * log_p).sum(axis=-1) / np.log(log_p.shape[-1]))


def threshold_that_refuses(inside: FloatArray, share: float) -> float:
    """The score of which at most ``share`` of the texts in scope [I] are at or above it."""
    order = np.sort(inside)[::-1]
    most = int(share * len(order) + 1e-9)
    last = order[most]  # the first that may not be refused
    above = order[:most][order[:most] > last]
    return float((above[-1] + last) / 2 if len(above) else np.nextafter(last, np.inf))


def threshold_of_best_f1(scores: FloatArray, outside: BoolArray) -> float:
    """The score that tells the texts that are ``outside`` [N] with the highest F1, one at least;
    ``scores`` [N] are from 0 to 1."""
    best = best_threshold(scores[:, None], outside[:, None])
    assert best is not None
    return best


def auroc(outside: FloatArray, inside: FloatArray) -> dict[str, float]:
    """The share of pairs of a text out of scope [O] and one in scope [I] of which the former has
    the higher score, equal ones counting a half; with a 95 % interval.

    The interval is that of DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44, 837-845).
    """
    by_outside = _share_below(outside, np.sort(inside))  # [O]
    by_inside = 1 - _share_below(inside, np.sort(outside))  # [I]
    value = float(by_outside.mean())
    parts = (float(one.var(ddof=1)) / len(one) for one in (by_outside, by_inside) if len(one) > 1)
    half = 1.959963984540054 * sqrt(sum(parts))
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}


def _share_below(values: FloatArray, others: FloatArray) -> FloatArray:
    """Of each value, the share of the sorted ``others`` that are lower, equal ones for a half."""
    lower = np.searchsorted(others, values, side="left")
    not_higher = np.searchsorted(others, values, side="right")
    return np.asarray((lower + not_higher) / (2 * len(others)))


def scope_figures(
    scores: FloatArray, refused: BoolArray, outside: BoolArray, right: BoolArray
) -> dict[str, dict[str, float]]:
    """What scores.json says, of texts with gold [N]: their scores, which were refused, which are
    out of scope, and which have the right label.

    Without texts out of scope it is the share of refused ones alone.
    """
    out, inside = int(outside.sum()), int((~outside).sum())
    found = {
        "texts": {"in_scope": float(inside), "out_of_scope": float(out)},
        "refused": _with_interval(Share(int((refused & ~outside).sum()), inside)),
    }
    if not out:
        return found
    told = int((refused & outside).sum())
    count = int(refused.sum())
    right_in_all = int(((right & ~refused & ~outside) | (refused & outside)).sum())
    if inside:
        found["auroc"] = auroc(scores[outside], scores[~outside])
    return found | {
        "recognised": _with_interval(Share(told, out)),
        "precision": {"value": told / count if count else 0.0},
        "f1": {"value": 2 * told / (count + out)},
        "accuracy": _with_interval(Share(right_in_all, len(outside))),
    }


def _with_interval(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"value": share.value, "low": low, "high": high}
