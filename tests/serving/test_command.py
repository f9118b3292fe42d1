"""`bertft serve` as a process: examples of the guide ask it, signals reload and end it, and an
export is served without torch."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import Live, until
from samples import Command

from bertft.commands.export import ExportRequest, export
from bertft.watch import Silent

GUIDE = Path(__file__).parents[2] / "docs" / "en" / "guides" / "serve.md"
PROGRAM = """
import sys
from bertft.cli.app import main
try:
    main()
finally:
    heavy = {"torch", "transformers", "datasets", "scipy", "matplotlib"} & set(sys.modules)
    print("loaded", *sorted(heavy), file=sys.stderr)
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no SIGHUP")


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "film"
    export(ExportRequest(run=str(trained), folder=str(folder), engine="onnx"), watch=Silent())
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(scope="module")
def process(exported: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The server of the export, called ``film``."""
    command = [sys.executable, "-c", PROGRAM, "serve", f"film={exported}", "--port", "0"]
    with log.open("wb") as file:
        environment = os.environ | {"COLUMNS": "400"}
        found = subprocess.Popen(command, stderr=file, cwd=log.parent, env=environment)
    assert until(lambda: "ready: " in said(log) or found.poll() is not None, seconds=60)
    yield found
    found.kill()
    found.wait()


def said(log: Path) -> str:
    return log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address(process: subprocess.Popen[bytes], log: Path) -> str:
    return said(log).split("ready: ")[1].split()[0]


def example(language: str, address: str) -> str:
    """The client of the guide in a language, which asks this server."""
    for block in re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), re.S):
        if "http://127.0.0.1:8000" in block:
            return block.replace("http://127.0.0.1:8000", address).replace("NAME", "film")
    raise AssertionError(f"the guide has no client in {language}")


def answered(program: str, arguments: list[str]) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    environment = os.environ | {"HF_HUB_OFFLINE": "0"}  # a server of one's own is asked
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def test_the_client_in_curl(address: str) -> None:
    (labels,) = json.loads(answered("bash", ["-c", example("bash", address)]))
    assert {one["label"] for one in labels} == {"good", "bad"}


def test_the_client_in_python(address: str) -> None:
    found = answered(sys.executable, ["-c", example("py", address)])
    assert "TextClassificationOutputElement(label='good'" in found


def test_the_client_in_javascript(address: str) -> None:
    found = answered("node", ["--input-type=module", "-e", example("js", address)])
    assert found.count("label: 'good'") == 2, found


def test_a_signal_loads_runs_anew_and_nobody_waits(
    process: subprocess.Popen[bytes], address: str, log: Path
) -> None:
    process.send_signal(signal.SIGHUP)
    while "reloaded film: " not in said(log):
        assert Live(address, None).ask("/", {"inputs": "a good film"})[0] == 200  # type: ignore[arg-type]
        assert process.poll() is None


def test_it_ends_when_it_is_told(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    with urllib.request.urlopen(address + "/health") as response:
        assert response.status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    *_, last = said(log).splitlines()
    assert last == "loaded", "neither torch nor what comes with it"


def test_corrections_that_cannot_be_kept_are_refused_at_the_start(
    command: Command, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken.txt").touch()
    code, _, err = command("serve", "run", "--port", "0", "--corrections", "taken.txt")
    assert (code, "--corrections taken.txt: is a file" in err) == (2, True), err
