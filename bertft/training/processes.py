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


def summed(*values: float) -> tuple[float, ...]:
    """The sum of each figure over all processes; they are exchanged at once."""
    if count() == 1:
        return values
    import torch

    return tuple(summed_tensor(torch.tensor(values, dtype=torch.float64)).tolist())


def gathered_rows(ids: Tensor, rows: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What every process gives: its ``ids`` [n] and ``rows`` [n, H], each of another n."""
    import torch
    from torch.distributed import all_gather

    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(count())]
    all_gather(sizes, torch.tensor([len(ids)]))
    longest = max(int(size) for size in sizes)
    padded_ids = ids.new_zeros(longest)
    padded_rows = rows.new_zeros(longest, rows.shape[1])
    padded_ids[: len(ids)], padded_rows[: len(ids)] = ids, rows
    all_ids = [torch.empty_like(padded_ids) for _ in sizes]
    all_rows = [torch.empty_like(padded_rows) for _ in sizes]
    all_gather(all_ids, padded_ids)
    all_gather(all_rows, padded_rows)
    triples = zip(sizes, all_ids, all_rows, strict=True)
    return [(its[: int(size)], values[: int(size)]) for size, its, values in triples]


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
