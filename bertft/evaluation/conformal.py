"""Sets of labels that hold the right one with a promised probability: split conformal prediction.

Of n examples that trained nothing, s_i = 1 - p(gold label). A set holds every label whose 1 - p is
at most the ceil((n + 1) c)-th smallest s_i; a new example drawn like the n is covered with a
probability of at least c, and of at most c + 1 / (n + 1) where no s_i are equal, whatever the model
is (Vovk, Gammerman and Shafer 2005, Algorithmic learning in a random world; Angelopoulos and Bates
2021, A gentle introduction to conformal prediction, theorem 1 and appendix D).

This score (LAC; Sadinle, Lei and Wasserman 2019, Journal of the American Statistical Association
114, 223-234) gives the smallest mean size of all that keep the promise, and the same set for the
same text. Adaptive scores (APS; Romano, Sesia and Candes 2020, NeurIPS) keep it without drawing
lots only by larger sets: tens of labels where there are many. The price: where less is promised
than the model's accuracy, sets of the least certain texts are empty.

Shape legend: N examples, C labels.
"""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bertft.evaluation.calibration import columns

if TYPE_CHECKING:
    from bertft.contracts import FloatArray

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


def quantile(scores: npt.ArrayLike, *, coverage: float) -> float:
    """The ceil((n + 1) coverage)-th smallest score; infinite where n is too small for that."""
    (values,) = columns(scores)
    # Rounding must not ask for one score more: (99 + 1) 0.9 is not above 90.
    rank = max(1, ceil((len(values) + 1) * coverage - 1e-9))
    if rank > len(values):
        return inf
    return float(np.partition(values, rank - 1)[rank - 1])


def enough_for(coverage: float) -> int:
    """The fewest scores with which a set need not hold all labels."""
    return ceil(coverage / (1 - coverage) - 1e-9)


def label_sets(p: FloatArray, threshold: float) -> BoolArray:
    """[..., C] the labels whose 1 - p is at most ``threshold``."""
    return np.asarray(1 - np.asarray(p, dtype=np.float64) <= threshold)
