"""Types of the arrays that flow through the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

FloatArray: TypeAlias = "np.ndarray[Any, np.dtype[np.floating[Any]]]"
OffsetArray: TypeAlias = "np.ndarray[Any, np.dtype[np.int32]]"
