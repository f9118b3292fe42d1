"""Several processes that train one model together: who writes, and what all of them agree on.

``accelerate launch`` and ``torchrun`` start the same command in each process and tell it its rank.
Every process reads the data and takes its share of each step; the main one (rank 0) alone writes
and speaks. In one process every function here is free and changes nothing. torch is imported only
where processes meet: the command line asks ``is_main`` before it needs torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes were started together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    return rank() == 0


def join(*, cpu: bool) -> None:
    """Meet the other processes; ``cpu`` where they compute on CPUs of machines that have GPUs."""
    if count() > 1:
        from accelerate import PartialState

        PartialState(cpu=cpu)


def main_decides(decide: Callable[[], T]) -> T:
    """What ``decide`` returns in the main process, in all of them; nobody else calls it."""
    if count() == 1:
        return decide()
    from accelerate.utils import broadcast_object_list

    box = [decide() if is_main() else None]
    broadcast_object_list(box)
    return cast("T", box[0])


def summed(value: float) -> float:
    """The sum of a figure over all processes."""
    if count() == 1:
        return value
    import torch

    return float(summed_tensor(torch.tensor(value, dtype=torch.float64)))


def summed_tensor(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes; every process gives one of the same shape."""
    if count() == 1:
        return tensor
    import torch
    from accelerate import PartialState

    there = tensor.to(PartialState().device)
    torch.distributed.all_reduce(there)
    return there.to(tensor.device)


def wait() -> None:
    """Go on when all processes are here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()
