"""The collector rests while modules and examples are made, and never longer."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from bertft.collector import importing, paused_collector


@pytest.fixture(autouse=True)
def goes_on() -> Iterator[None]:
    yield
    gc.unfreeze()


Pause = Callable[[], AbstractContextManager[None]]


@pytest.mark.parametrize("pause", [paused_collector, importing])
def test_it_rests_inside_and_goes_on_afterwards(pause: Pause) -> None:
    with pause():
        assert not gc.isenabled()
        with pause():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize("pause", [paused_collector, importing])
def test_it_goes_on_after_an_error(pause: Pause) -> None:
    with pytest.raises(ZeroDivisionError), pause():
        _ = 1 / 0
    assert gc.isenabled()


def test_who_has_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_imported_is_never_walked_again() -> None:
    with importing():
        kept: list[list[int]] = [[] for _ in range(10_000)]
    assert gc.get_freeze_count() >= len(kept)
