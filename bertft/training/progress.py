"""Where a training stands: with the recipe it determines everything that is left to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


@dataclass(slots=True)
class Progress:
    """Where training stands. With the recipe it determines everything that is left to do."""

    epoch: int = 0
    next_step: int = 0
    step: int = 0
    best_score: float | None = None
    best_step: int = 0
    evaluations_without_gain: int = 0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Progress:
        return cls(**{name: state[name] for name in cls.__slots__})
