"""The order of training: which Encoded form which optimizer step, as a pure function of the seed.

Because step ``s`` of epoch ``e`` depends on nothing else, a run can stop anywhere and go on with
exactly the samples that are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np

IndexArray = np.ndarray[tuple[int], np.dtype[np.int64]]
GROUP = 4
"""Encoded of one kind that stand side by side."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``lengths`` are those of all Encoded; the processes share the sequences of each batch.

    ``kinds`` say what each is, where a step has to see some of a kind together: GROUP of them stand
    side by side in each order. ``rounds`` is how often an epoch takes all of them.

    ``parts`` are the Encoded that are drawn as one, as a question and its passage are; a batch is
    then so many of these, and one Encoded that several of them have is in it once.
    """

    lengths: tuple[int, ...]
    batch_size: int
    accumulation: int
    epochs: int
    seed: int
    processes: int = 1
    kinds: tuple[int, ...] = ()
    rounds: int = 1
    parts: tuple[tuple[int, ...], ...] = ()

    @property
    def drawn(self) -> int:
        """How many there are to be drawn in a round."""
        return len(self.parts or self.lengths)

    @property
    def sequences_per_step(self) -> int:
        return self.batch_size * self.accumulation

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.rounds * self.drawn // self.sequences_per_step)

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    @property
    def tokens_per_round(self) -> int:
        return sum(map(self._length, range(self.drawn)))

    @property
    def tokens(self) -> int:
        """Of all epochs."""
        return self.tokens_per_round * self.rounds * self.epochs

    def sample(self, *, epoch: int, step: int) -> list[int]:
        """What one optimizer step draws, in random order: indices of Encoded, or of ``parts``."""
        order = _order(self.drawn, self.seed, epoch, self.kinds, self.rounds)
        first = step * self.sequences_per_step
        return [int(i) for i in order[first : first + self.sequences_per_step]]

    def batches(self, *, epoch: int, step: int, process: int = 0) -> list[list[int]]:
        """The step's sample for one process, cut into forward passes of similar lengths.

        Sorting happens inside the step only, so each step learns from the same random sample as it
        would without, in any number of processes. Every process gets the same number of passes;
        one may be empty at the end of an epoch.
        """
        sample = sorted(self.sample(epoch=epoch, step=step), key=lambda i: (self._length(i), i))
        size = self.batch_size
        groups = [sample[first : first + size] for first in range(0, len(sample), size)]
        return [self.encoded_of(group[process :: self.processes]) for group in groups]

    def encoded_of(self, drawn: Sequence[int]) -> list[int]:
        """Indices of the Encoded of what was drawn, each once."""
        if not self.parts:
            return list(drawn)
        return list(dict.fromkeys(chain.from_iterable(self.parts[index] for index in drawn)))

    def _length(self, drawn: int) -> int:
        if not self.parts:
            return self.lengths[drawn]
        return sum(self.lengths[index] for index in self.parts[drawn])


@lru_cache(maxsize=2)
def _order(size: int, seed: int, epoch: int, kinds: tuple[int, ...], rounds: int) -> IndexArray:
    """Indices of an epoch; without kinds, in one round, a permutation."""
    generator = np.random.default_rng([seed, epoch])
    return np.concatenate([_round(size, kinds, generator) for _ in range(rounds)])


def _round(size: int, kinds: tuple[int, ...], generator: np.random.Generator) -> IndexArray:
    order = generator.permutation(size)
    if not kinds:
        return order
    by_kind: dict[int, list[int]] = {}
    for index in order:
        by_kind.setdefault(kinds[index], []).append(int(index))
    groups = [own[at : at + GROUP] for own in by_kind.values() for at in range(0, len(own), GROUP)]
    return np.array([index for one in generator.permutation(len(groups)) for index in groups[one]])


def inference_batches(
    lengths: Sequence[int], *, max_tokens: int, max_sequences: int = 512
) -> list[list[int]]:
    """Indices sorted by length and cut so that no padded batch exceeds ``max_tokens``."""
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    batches: list[list[int]] = []
    for index in order:
        size = len(batches[-1]) + 1 if batches else 0
        # Sorted by length: the newest is the longest, so it sets the padded width.
        if not batches or size * lengths[index] > max_tokens or size > max_sequences:
            batches.append([])
        batches[-1].append(index)
    return batches
