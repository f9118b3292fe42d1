"""The choice of device and precision: what is absent is an error, the rest is measured."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import torch
from accelerate.state import AcceleratorState

from bertft.errors import DeviceError
from bertft.training import runtime
from bertft.training.probe import Speeds
from bertft.training.runtime import (
    Runtime,
    choose_runtime,
    make_accelerator,
    without_denormals,
)


@pytest.fixture(autouse=True)
def only_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def give(monkeypatch: pytest.MonkeyPatch, *, device: str, bf16: bool = True) -> None:
    place = torch.cuda if device == "cuda" else torch.backends.mps
    monkeypatch.setattr(place, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bf16)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_device_is_an_error_that_names_those_there(device: str) -> None:
    with pytest.raises(DeviceError, match=f"no {device} device") as caught:
        choose_runtime(device=device, precision="fp32")
    assert "cpu" in caught.value.hint


def test_what_is_too_small_to_be_normal_is_zero_on_a_cpu() -> None:
    """While training, and afterwards no more: the process may be somebody else's."""
    assert bool(torch.tensor(1e-30) * 1e-12 > 0)
    with without_denormals():
        assert bool(torch.tensor(1e-30) * 1e-12 == 0)
    assert bool(torch.tensor(1e-30) * 1e-12 > 0)


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_fp16_needs_cuda(device: str) -> None:
    with pytest.raises(DeviceError, match="fp16 needs a CUDA device") as caught:
        choose_runtime(device=device, precision="fp16")
    assert "fp32" in caught.value.hint


def test_fp16_on_mps_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, device="mps")
    with pytest.raises(DeviceError, match="not mps"):
        choose_runtime(precision="fp16")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_was_asked_for_is_not_measured(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(runtime, "cpu_speeds", lambda: pytest.fail("measured"))
    found = choose_runtime(device="cpu", precision=precision)
    assert found == Runtime("cpu", precision, "as set", torch.get_num_threads())


@pytest.mark.parametrize(
    ("gain", "precision"),
    [(0.01, "fp32"), (1.0, "fp32"), (1.29, "fp32"), (1.3, "bf16"), (8.0, "bf16")],
)
def test_on_a_cpu_the_measured_gain_decides(
    monkeypatch: pytest.MonkeyPatch, gain: float, precision: str
) -> None:
    monkeypatch.setattr(runtime, "cpu_speeds", lambda: Speeds(1.0, gain, 0.0, is_new=True))
    found = choose_runtime()
    assert (found.device, found.precision) == ("cpu", precision)
    assert found.reason == f"bf16 matrix products run at {gain:.2g}x the speed of fp32 here"


def test_what_was_measured_before_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    when = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
    monkeypatch.setattr(runtime, "cpu_speeds", lambda: Speeds(1.0, 3.0, when, is_new=False))
    assert choose_runtime().reason.endswith("3x the speed of fp32 here, measured 2026-03-04")


class TestThreads:
    """Those of a run that goes on: a sum over other parts is another sum in its last bits."""

    @pytest.fixture(autouse=True)
    def as_they_were(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        before = torch.get_num_threads()
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(runtime, "usable_cores", lambda: 3)
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)

    @pytest.mark.parametrize(("threads", "taken"), [(3, 3), (2, 2), (4, 1), (None, 1)])
    def test_as_many_as_there_were_if_there_are_as_many_cores(
        self, threads: int | None, taken: int
    ) -> None:
        found = choose_runtime(device="cpu", precision="fp32", threads=threads)
        assert found.threads == torch.get_num_threads() == taken

    def test_the_environment_knows_better(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert choose_runtime(device="cpu", precision="fp32", threads=2).threads == 1


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_is_used_in_half_precision(
    monkeypatch: pytest.MonkeyPatch, bf16: bool, precision: str
) -> None:
    give(monkeypatch, device="cuda", bf16=bf16)
    found = choose_runtime()
    assert (found.device, found.precision) == ("cuda", precision)
    assert choose_runtime(device="cpu", precision="fp32").device == "cpu"


def test_mps_is_used_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, device="mps")
    found = choose_runtime()
    assert (found.device, found.precision) == ("mps", "fp32")


def test_an_unknown_device_is_an_error_of_the_user() -> None:
    with pytest.raises(DeviceError):
        choose_runtime(device="gpu", precision="fp32")


def test_an_unknown_precision_is_an_error_of_the_user() -> None:
    with pytest.raises(DeviceError):
        choose_runtime(device="cpu", precision="int8")


@pytest.fixture
def fresh_state() -> Iterator[None]:
    """Accelerate keeps device and precision for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_state")
@pytest.mark.parametrize(("precision", "theirs"), [("fp32", "no"), ("bf16", "bf16")])
def test_accelerate_gets_device_and_precision(precision: str, theirs: str) -> None:
    runtime = Runtime("cpu", precision, "as set", 1)
    accelerator, shared = make_accelerator(runtime)
    assert shared == runtime
    assert accelerator.device == torch.device("cpu")
    assert accelerator.mixed_precision == theirs
    assert accelerator.num_processes == 1


@pytest.mark.usefixtures("fresh_state")
def test_two_runs_in_one_process_may_differ_in_precision() -> None:
    """From Python, one training may follow another."""
    for precision, theirs in (("fp32", "no"), ("bf16", "bf16")):
        accelerator, _ = make_accelerator(Runtime("cpu", precision, "as set", 1))
        assert accelerator.mixed_precision == theirs
