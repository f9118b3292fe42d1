"""The cache of encoder states: what is read is what was written, or nothing; never too large."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from bertft.cache_folder import cached_files
from bertft.commands.cache import clear_cache
from bertft.errors import RunError
from bertft.jobs.state_cache import CachedStates

WIDTH = 4


def states(rows: int, *, first: float = 0.0) -> np.ndarray:
    return np.arange(rows * WIDTH, dtype=np.float32).reshape(rows, WIDTH) + first


def put(name: str, *, rows: int = 8, used: int = 0) -> CachedStates:
    cached = CachedStates.of({"name": name}, name=name, rows=rows, width=WIDTH)
    cached.write([states(rows)[:3], states(rows)[3:]])
    if used:
        os.utime(cached.path, (used, used))
    return cached


def test_what_was_written_is_read() -> None:
    found = put("a").read()
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, states(8))


def test_other_facts_are_another_file() -> None:
    put("a")
    assert CachedStates.of({"name": "b"}, name="a", rows=8, width=WIDTH).read() is None


@pytest.mark.parametrize("place", [0, 77, -40, -1], ids=["start", "middle", "end", "digest"])
def test_a_flipped_bit_is_noticed(place: int) -> None:
    cached = put("a")
    content = bytearray(cached.path.read_bytes())
    content[place] ^= 1
    cached.path.write_bytes(content)
    assert cached.read() is None


@pytest.mark.parametrize("size", [0, 1, 40, 8 * WIDTH * 4, 8 * WIDTH * 4 + 31])
def test_a_cut_file_is_noticed(size: int) -> None:
    cached = put("a")
    os.truncate(cached.path, size)
    assert cached.read() is None
    cached.path.write_bytes(cached.path.read_bytes() + b"\0" * (cached.size - size))
    assert cached.read() is None


def test_nothing_is_left_where_writing_fails() -> None:
    def broken():
        yield states(2)
        raise ZeroDivisionError

    cached = CachedStates.of({}, name="a", rows=8, width=WIDTH)
    with pytest.raises(ZeroDivisionError):
        cached.write(broken())
    assert cached_files() == []


class TestBound:
    @pytest.fixture(autouse=True)
    def room_for_two(self, monkeypatch):
        size = CachedStates.of({}, name="a", rows=8, width=WIDTH).size
        monkeypatch.setenv("BERTFT_CACHE_GIB", repr((2 * size + 8) / 2**30))

    def test_what_was_not_used_for_longest_goes(self):
        first, second = put("first", used=1000), put("second", used=2000)
        assert first.read() is not None  # and is used thereby
        third = put("third")
        assert second.read() is None
        assert first.read() is not None
        assert third.read() is not None

    def test_more_than_the_bound_is_refused(self):
        put("a")
        with pytest.raises(RunError, match=r"the cache holds .*; set BERTFT_CACHE_GIB, or fine-tu"):
            put("b", rows=30)
        assert len(cached_files()) == 1

    @pytest.mark.parametrize("value", ["ten", "-1", "nan", "1e99"])
    def test_a_bound_that_is_no_size(self, monkeypatch, value):
        monkeypatch.setenv("BERTFT_CACHE_GIB", value)
        with pytest.raises(RunError, match=f"BERTFT_CACHE_GIB is '{value}', not a number of GiB"):
            put("a")


def test_a_folder_that_cannot_be_written(own_cache: Path) -> None:
    own_cache.write_text("a file")
    with pytest.raises(RunError, match=r"exists.*; fix that, or set BERTFT_CACHE to another"):
        put("a")


def test_clearing_leaves_what_is_not_ours(own_cache: Path) -> None:
    sizes = [put(name).size for name in "ab"]
    (own_cache / ".left.states").write_bytes(b"half-written")
    (own_cache / "notes.txt").write_text("mine")
    assert clear_cache() == (3, sum(sizes) + 12)
    assert [path.name for path in own_cache.iterdir()] == ["notes.txt"]


def test_the_name_of_an_encoder_cannot_leave_the_folder(own_cache: Path) -> None:
    for name in ("../../x", "/etc/passwd", "..", "owner/한국 bert", ""):
        cached = CachedStates.of({}, name=name, rows=1, width=1)
        assert cached.path.parent == own_cache
        assert not cached.path.name.startswith(".")


def test_only_the_owner_reads_texts_made_numbers() -> None:
    assert stat.S_IMODE(put("a").path.stat().st_mode) == 0o600
