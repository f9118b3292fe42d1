"""What the model reads next: windows of all waiting requests in, those of one turn out.

Half of a turn's tokens go to requests in the order in which they came, so that none is passed over
for ever; the other half to those with least left, so that a short request is in the next turn
however long the others are.
"""

from __future__ import annotations

from collections.abc import Sequence

Left = Sequence[int]
"""Tokens of each window of a request that is still to be read, in order."""


def choose_turn(waiting: Sequence[Left], *, budget: int) -> list[int]:
    """How many windows of each waiting request are read now; at least one of the first.

    Together they have at most ``budget`` tokens, unless the first window alone has more.
    """
    chosen = [0] * len(waiting)
    spent = 0

    def take(place: int, most: int) -> None:
        nonlocal spent
        left = waiting[place]
        while chosen[place] < len(left):
            tokens = left[chosen[place]]
            if spent and spent + tokens > most:
                return
            chosen[place] += 1
            spent += tokens

    for place in range(len(waiting)):
        take(place, budget // 2)
        if spent >= budget // 2:
            break
    for place in sorted(range(len(waiting)), key=lambda one: sum(waiting[one])):
        take(place, budget)
    return chosen
