"""Pearson and Spearman as functions of sums over examples.

``regression_moments`` turns gold and predicted numbers [N] into rows [N, 9], ``regression_metrics``
sums of rows [..., 9] into correlations [...], so that any number of resamples is one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bertft.evaluation.metrics import as_floats, doubles, ratio, same_length

if TYPE_CHECKING:
    from bertft.contracts import FloatArray


def regression_moments(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> FloatArray:
    """Rows [N, 9] of numbers [N]: 1, x, y, x^2, y^2, xy, and the co-moments of their ranks."""
    x, y = _numbers(gold), _numbers(predicted)
    same_length(x, y)
    ranks = (_rank_comoment(x, y), _rank_comoment(x, x), _rank_comoment(y, y))
    x, y = _standardised(x), _standardised(y)
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, *ranks], axis=1)  # [N, 9]


def regression_metrics(totals: FloatArray) -> dict[str, FloatArray]:
    """Correlations [...] from sums [..., 9] of ``regression_moments``; 0 where a side is constant.

    - pearson: cov(x, y) / sqrt(var(x) var(y)).
    - spearman: pearson of the ranks, equal values sharing their mean rank. Exact for the data, to
      first order for a resample: each row holds its example's effect on the ranks of the others.
    """
    size, x, y, xx, yy, xy, rank_xy, rank_xx, rank_yy = np.moveaxis(doubles(totals), -1, 0)
    var_x, var_y = size * xx - x * x, size * yy - y * y
    # What rounding leaves of the variance of a constant resample is not a variance.
    var_x = np.where(var_x > 1e-12 * size * xx, var_x, 0.0)
    var_y = np.where(var_y > 1e-12 * size * yy, var_y, 0.0)
    return {
        "pearson": _correlation(size * xy - x * y, var_x, var_y),
        "spearman": _correlation(rank_xy, rank_xx, rank_yy),
    }


def pearson(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Pearson's correlation, as ``scipy.stats.pearsonr``; 0 where a side is constant or N < 2."""
    totals = regression_moments(gold, predicted).sum(axis=0)
    return as_floats(regression_metrics(totals))["pearson"]


def spearman(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Spearman's correlation, as ``scipy.stats.spearmanr``; 0 where a side is constant or N < 2."""
    totals = regression_moments(gold, predicted).sum(axis=0)
    return as_floats(regression_metrics(totals))["spearman"]


def _correlation(covariance: FloatArray, var_x: FloatArray, var_y: FloatArray) -> FloatArray:
    scale = np.sqrt(np.maximum(var_x, 0)) * np.sqrt(np.maximum(var_y, 0))
    return np.clip(ratio(covariance, scale), -1.0, 1.0)


def _rank_comoment(x: FloatArray, y: FloatArray) -> FloatArray:
    """Values [N] that sum to the covariance of the centred ranks of x and y, times N.

    Each holds the example's own product and its effect on the ranks of the others (the first term
    of Hoeffding's decomposition); the effects sum to 0.
    """
    rank_x, rank_y = (0.5 - _above(keys, np.ones_like(keys)) for keys in (x, y))
    product = rank_x * rank_y
    product += _above(x, rank_y) + _above(y, rank_x) - 2 * product.sum() / max(len(x), 1)
    return product


def _above(keys: FloatArray, values: FloatArray) -> FloatArray:
    """For each key [N], the sum of the values whose keys are larger, equal ones half, over N."""
    _, group = np.unique(keys, return_inverse=True)
    sums = np.bincount(group, weights=values)
    above: FloatArray = (sums[::-1].cumsum()[::-1] - sums / 2)[group]  # [N]
    above /= max(len(keys), 1)
    return above


def _standardised(values: FloatArray) -> FloatArray:
    """Centred and scaled to a largest size of 1, so that squares neither overflow nor cancel."""
    if len(values) == 0 or values.min() == values.max():
        return np.zeros_like(values)
    scaled: FloatArray = values / np.abs(values).max()
    scaled -= scaled.mean()
    scaled /= np.abs(scaled).max()
    return scaled


def _numbers(values: npt.ArrayLike) -> FloatArray:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise ValueError("values are one list of finite numbers")
    return numbers
