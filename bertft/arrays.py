"""Types of the arrays that flow through the package."""

from __future__ import annotations

from typing import Any

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.floating[Any]]]
OffsetArray = np.ndarray[Any, np.dtype[np.int32]]
