"""What is measured of a machine is kept for that machine alone, and never believed when damaged."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bertft.training import probe
from bertft.training.probe import cpu_speeds, forget_speeds, machine_facts, measure, read_speeds

FAST, SLOW = 4e11, 1e11


@pytest.fixture(autouse=True)
def not_asked_before() -> Iterator[None]:
    """A process remembers what it measured."""
    cpu_speeds.cache_clear()
    yield
    cpu_speeds.cache_clear()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """Every measurement that is made; bf16 is four times as fast."""
    found: list[torch.dtype] = []

    def rate(kind: torch.dtype) -> float:
        found.append(kind)
        return FAST if kind is torch.bfloat16 else SLOW

    monkeypatch.setattr(probe, "matrix_rate", rate)
    return found


def start_again() -> probe.Speeds:
    """What a new process finds."""
    cpu_speeds.cache_clear()
    return cpu_speeds()


def the_file() -> Path:
    (found,) = probe.cache_folder().iterdir()
    return found


def test_it_is_measured_once(measured: list[torch.dtype]) -> None:
    first = start_again()
    assert (first.gain, first.is_worthwhile, first.is_new, first.not_kept) == (4, True, True, "")
    assert len(measured) == 2 * probe.ROUNDS
    second = start_again()
    assert (second.fp32, second.bf16, second.measured) == (first.fp32, first.bf16, first.measured)
    assert not second.is_new
    assert len(measured) == 2 * probe.ROUNDS


def test_a_process_asks_the_disk_once(
    measured: list[torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cpu_speeds()
    monkeypatch.setattr(probe, "read_speeds", lambda _facts: pytest.fail("read"))
    assert cpu_speeds() is first
    assert measured


class TestNotBelieved:
    @pytest.fixture(autouse=True)
    def kept(self, measured: list[torch.dtype]) -> None:
        cpu_speeds()
        measured.clear()

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"7", b"\xff", b"[" * 100_000])
    def test_other_content(self, measured: list[torch.dtype], content: bytes) -> None:
        the_file().write_bytes(content)
        assert start_again().is_new
        assert measured

    def test_every_digit_counts(self, measured: list[torch.dtype]) -> None:
        """A flipped digit would choose the slower precision without a word."""
        whole = the_file().read_bytes()
        for old, new in ((b'"bf16": 4', b'"bf16": 1'), (b'"fp32": 1', b'"fp32": 9')):
            assert old in whole
            the_file().write_bytes(whole.replace(old, new))
            measured.clear()
            assert start_again().bf16 == FAST
            assert measured

    @given(place=st.integers(0, 10_000), value=st.integers(1, 255))
    def test_no_damage_goes_unseen(self, place: int, value: int) -> None:
        whole = the_file().read_bytes()
        damaged = bytearray(whole)
        damaged[place % len(whole)] ^= value
        the_file().write_bytes(damaged)
        try:
            found = read_speeds(machine_facts())
        finally:
            the_file().write_bytes(whole)
        assert found is None or (found.fp32, found.bf16) == (SLOW, FAST)

    @pytest.mark.parametrize("size", [1, 100, -1])
    def test_a_file_that_is_cut_off(self, measured: list[torch.dtype], size: int) -> None:
        the_file().write_bytes(the_file().read_bytes()[:size])
        assert start_again().is_new
        assert not start_again().is_new

    @pytest.mark.parametrize("days", [-1, 31])
    def test_a_file_of_long_ago_or_of_the_future(
        self, measured: list[torch.dtype], days: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time() + days * probe.DAY
        monkeypatch.setattr(time, "time", lambda: now)
        assert start_again().is_new
        assert measured
        assert start_again().measured == now

    def test_a_file_of_another_machine(
        self, measured: list[torch.dtype], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where somebody gave it our name."""
        kept = the_file()
        monkeypatch.setattr(probe, "_cpu", lambda: ["model name : another"])
        kept.rename(probe.speeds_file(machine_facts()))
        assert start_again().is_new
        assert measured


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(probe, "_cpu", lambda: ["flags : none"]),
        lambda patch: patch.setattr(os, "cpu_count", lambda: 512),
        lambda patch: patch.setattr(probe, "usable_cores", lambda: 511),
        lambda patch: patch.setattr(torch, "get_num_threads", lambda: 510),
        lambda patch: patch.setattr(torch, "__version__", "9.9"),
        lambda patch: patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX9"),
        lambda patch: patch.setenv("OMP_NUM_THREADS", "509"),
        lambda patch: patch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41"),
        lambda patch: patch.setattr(probe, "METHOD", 0),
    ],
)
def test_another_machine_or_setting_is_measured_for_itself(
    measured: list[torch.dtype],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], None],
) -> None:
    start_again()
    with monkeypatch.context() as patch:
        change(patch)
        assert start_again().is_new
        assert not start_again().is_new
    assert not start_again().is_new
    assert len(measured) == 4 * probe.ROUNDS


def test_other_variables_do_not_matter(
    measured: list[torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_again()
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert not start_again().is_new


@pytest.mark.parametrize(
    ("fp32", "bf16", "disturbed"), [(SLOW, FAST, SLOW), (FAST, SLOW, 2 * FAST)]
)
def test_a_busy_machine_decides_for_now_alone(
    monkeypatch: pytest.MonkeyPatch, fp32: float, bf16: float, disturbed: float
) -> None:
    """One round of six comes out the other way: the next start measures again."""
    rates = iter([bf16] * 3 + [disturbed] + [bf16] * 2)
    monkeypatch.setattr(
        probe, "matrix_rate", lambda kind: next(rates) if kind is torch.bfloat16 else fp32
    )
    found = measure(machine_facts())
    assert found.not_kept == "its rounds disagree, as on a busy machine"
    assert read_speeds(machine_facts()) is None


def test_slow_bf16_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        probe, "matrix_rate", lambda kind: SLOW / 99 if kind is torch.bfloat16 else SLOW
    )
    assert start_again().not_kept == ""
    assert (start_again().is_new, start_again().is_worthwhile) == (False, False)


class TestWhereNothingCanBeWritten:
    def test_it_is_measured_each_time_and_that_is_told(
        self, measured: list[torch.dtype], own_cache: Path
    ) -> None:
        own_cache.write_text("a file where the folder should be", encoding="utf-8")
        assert start_again().not_kept == f"{own_cache}: File exists"
        assert start_again().is_new
        assert len(measured) == 4 * probe.ROUNDS

    def test_without_a_home(
        self, measured: list[torch.dtype], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nowhere(_path: Path) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "expanduser", nowhere)
        assert start_again().not_kept == "no home folder for the cache; set BERTFT_CACHE"
        assert start_again().gain == 4

    def test_nothing_is_left_of_a_file_that_could_not_be_finished(
        self, measured: list[torch.dtype], own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_number: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        assert start_again().not_kept == f"{own_cache}: No space left on device"
        assert list(own_cache.iterdir()) == []

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
    def test_a_folder_that_may_only_be_read(
        self,
        measured: list[torch.dtype],
        own_cache: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        """(Root may write everywhere, so the system's refusal is played.)"""
        cpu_speeds()

        def refuse(**_: Any) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        assert not start_again().is_new  # it is there to be read
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
        assert start_again().not_kept == f"{own_cache}: {os.strerror(number)}"
        assert len(measured) == 4 * probe.ROUNDS


def test_forgotten_speeds_are_measured_anew(measured: list[torch.dtype]) -> None:
    cpu_speeds()
    forget_speeds()
    assert cpu_speeds().is_new
    assert len(measured) == 4 * probe.ROUNDS
    forget_speeds()
    forget_speeds()


def _write(folder: str, bf16: float) -> None:
    os.environ["BERTFT_CACHE"] = folder
    for _ in range(100):
        speeds = probe.Speeds(SLOW, bf16, time.time(), is_new=True)
        assert probe._write(speeds, {"machine": "this"}) == ""


def test_two_processes_at_once(own_cache: Path) -> None:
    """Whoever reads meanwhile finds a whole file, of the one or the other."""
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_write, args=(str(own_cache), rate)) for rate in (FAST, SLOW)]
    for one in both:
        one.start()
    seen = []
    while any(one.is_alive() for one in both):
        if probe.speeds_file({"machine": "this"}).exists():
            seen.append(read_speeds({"machine": "this"}))
    assert None not in seen
    assert {found.bf16 for found in seen if found} <= {FAST, SLOW}
    for one in both:
        one.join()
        assert one.exitcode == 0
    assert read_speeds({"machine": "this"}) is not None
    assert [path.suffix for path in own_cache.iterdir()] == [".json"]


def test_the_facts_of_this_machine_can_be_written() -> None:
    facts = machine_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cpu"]
    assert all(facts["cpu"])


def test_the_measurement_is_short_and_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ROUND_SECONDS", 0.001)
    assert probe.matrix_rate(torch.float32) > 1e6
