"""export: folders that answer as their run does, without torch; what is refused leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from bertft.commands import export as verb
from bertft.commands.export import ExportRequest, export
from bertft.contracts import Encoded
from bertft.engines import exported as engines
from bertft.engines import on_onnx
from bertft.engines.on_onnx import SAFE_INT8, make_session
from bertft.engines.padded import Inputs
from bertft.errors import BertftError, DeviceError, ModelError, RunError
from bertft.prediction.parity import Parity
from bertft.prediction.predictor import Predictor, load
from bertft.runs.exported import EXPORT
from bertft.watch import Silent

HEAVY = ("torch", "transformers", "datasets", "accelerate", "evaluate")
PROGRAM = f"""
import sys
from bertft.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
TEXTS = ["a good film", "i hate it", "영화 정말 최고"]


@pytest.fixture(scope="session")
def made(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "made"
    export(ExportRequest(run=str(trained), folder=str(folder), engine="onnx"), watch=Silent())
    return folder


def test_a_folder_answers_as_its_run(made: Path, trained: Path) -> None:
    expected = load(trained, device="cpu", precision="fp32").predict(TEXTS)
    for one, other in zip(load(made).predict(TEXTS), expected, strict=True):
        assert one["label"] == other["label"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)


def test_it_says_how_it_compares(made: Path) -> None:
    content = json.loads((made / EXPORT).read_text(encoding="utf-8"))
    parity = content["parity"]
    assert (parity["equal"], parity["examples"], content["split"]) == (1.0, 12, "dev")
    assert parity["score"] == parity["expected"]
    assert parity["largest"] < 1e-4
    assert content["format"] == 1
    assert set(content["files"]) >= {"bertft.json", "tokenizer.json", "model.onnx"}
    card = (made / "README.md").read_text(encoding="utf-8")
    assert "| answers that say the same | 100.00 % |" in card


def test_it_is_answered_without_torch(made: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "predict", "a good film", "--run", str(made)],
        env=os.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["label"] in ("good", "bad")
    assert done.stderr.endswith("predicted\n\n"), done.stderr  # and no name of a module


@pytest.mark.parametrize(
    ("flags", "safe"),
    [("fpu avx2 avx512f", True), ("fpu avx512_vnni", False), ("fpu avx_vnni", False), (None, True)],
)
def test_int8_products_do_not_overflow_on_older_cpus(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, safe: bool
) -> None:
    """Nor are they slowed down where they cannot."""
    told = tmp_path / "cpuinfo"
    if flags is not None:
        told.write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="ascii")
    monkeypatch.setattr(on_onnx, "CPU", told)
    options = make_session(made / "model.onnx").get_session_options()
    given = nullcontext() if safe else pytest.raises(RuntimeError, match="does not have")
    with given:
        assert options.get_session_config_entry(SAFE_INT8) == "1"


def test_openvino_meets_few_shapes_and_never_too_long_ones() -> None:
    inputs = Inputs(("input_ids", "attention_mask"), 7, 0, max_length=10, multiple=4)
    for length, width in ((1, 4), (4, 4), (5, 8), (9, 10), (10, 10)):
        arrays = inputs.arrays([Encoded(range(1, length + 1), [], 0)])
        assert arrays["input_ids"].shape == (1, width)
        assert arrays["input_ids"][0, length:].tolist() == [7] * (width - length)
        assert arrays["attention_mask"][0].tolist() == [1] * length + [0] * (width - length)


@pytest.mark.skipif(sys.platform != "linux", reason="the stack of signals is Linux's own matter")
def test_signals_have_room_beside_openvino(made: Path) -> None:
    """OpenVINO's own stack for them holds 20 kB, and Python's handler overflows it."""
    program = f"""
import ctypes, os, signal
from pathlib import Path
from bertft.engines.on_openvino import SIGNAL_STACK, _Stack, open_openvino
run = open_openvino(Path({str(made)!r}) / "model.onnx", precision="fp32")
stack = _Stack()
ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
signal.signal(signal.SIGTERM, lambda *_: print(stack.size == SIGNAL_STACK))
os.kill(os.getpid(), signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_an_existing_folder_is_kept(trained: Path, tmp_path: Path) -> None:
    request = ExportRequest(run=str(trained), folder=str(tmp_path), engine="onnx")
    with pytest.raises(RunError, match="exists already"):
        export(request, watch=Silent())


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'bertft\[onnx\]'") as caught:
        engines.check_packages("onnx", ["onnxruntime"])
    assert caught.value.exit_code == 2


def test_a_newer_format_is_refused(made: Path, tmp_path: Path) -> None:
    for one in made.iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    content = json.loads((made / EXPORT).read_text(encoding="utf-8"))
    (tmp_path / EXPORT).write_text(json.dumps(content | {"format": 2}), encoding="utf-8")
    with pytest.raises(RunError, match="format 2, and this bertft reads 1"):
        Predictor(tmp_path)


def test_it_runs_on_the_cpu_in_its_own_precision(made: Path) -> None:
    with pytest.raises(DeviceError, match="answers on the CPU"):
        Predictor(made, device="cuda")
    with pytest.raises(DeviceError, match="runs in fp32, not in bf16"):
        Predictor(made, precision="bf16")


def lost(points: float) -> Parity:
    return Parity(100, 0.9, 0.2, "accuracy", 0.9, 0.9 - points / 100)


@pytest.mark.parametrize(
    ("points", "task", "settings", "refused"),
    [
        (0.3, "classification", {}, False),
        (0.4, "classification", {}, True),
        (0.4, "ner", {}, False),
        (0.6, "qa", {}, True),
        (0.6, "qa", {"max_loss": 1.0}, False),
        (9.0, "qa", {"accept_loss": True}, False),
        (-2.0, "classification", {}, False),
    ],
)
def test_what_int8_may_cost(points: float, task: str, settings: dict, refused: bool) -> None:
    request = ExportRequest(run="r", folder="f", engine="onnx", int8=True, **settings)
    if not refused:
        verb._refuse(lost(points), request, task)
        return
    with pytest.raises(BertftError, match=f"int8 costs {points:.2f} points of accuracy"):
        verb._refuse(lost(points), request, task)


def test_what_is_refused_leaves_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "_compare", lambda *_: lost(5.0))
    monkeypatch.setattr(verb, "write_export", lambda *_, **__: {})
    request = ExportRequest(run=str(trained), folder=str(tmp_path / "e"), engine="onnx", int8=True)
    with pytest.raises(BertftError, match="nothing is written"):
        export(request, watch=Silent())
    assert list(tmp_path.iterdir()) == []
