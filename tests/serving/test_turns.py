"""What the model reads next: nobody is passed over, the short do not wait for the long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bertft.serving.turns import choose_turn

WINDOWS = st.lists(st.lists(st.integers(1, 512), min_size=1, max_size=20), min_size=1, max_size=20)


@given(WINDOWS, st.integers(16, 8192))
def test_a_turn_keeps_its_budget_and_goes_on(waiting: list[list[int]], budget: int) -> None:
    chosen = choose_turn(waiting, budget=budget)
    read = [sum(one[:count]) for one, count in zip(waiting, chosen, strict=True)]
    assert chosen[0] >= 1, "the first goes on, however long it is"
    assert sum(read) <= max(budget, waiting[0][0])
    assert all(count <= len(one) for one, count in zip(waiting, chosen, strict=True))


def test_a_short_request_is_read_beside_long_ones() -> None:
    long, short = [512] * 100, [10]
    chosen = choose_turn([long, long, long, short], budget=4096)
    assert chosen[0] == 7, "the longest comes first, with what is left for it"
    assert chosen[3] == 1


@given(WINDOWS)
def test_everything_is_read_in_the_end(waiting: list[list[int]]) -> None:
    left = [list(one) for one in waiting]
    for _ in range(sum(map(len, waiting))):
        chosen = choose_turn(left, budget=1024)
        left = [one[count:] for one, count in zip(left, chosen, strict=True)]
        left = [one for one in left if one]
        if not left:
            return
    raise AssertionError(f"{left} is never read")
